//! The ways in which Redis goes away, and comes back.

use cachekit_testkit::fixtures::RedisServer;
use cachekit_testkit::proxy::FaultProxy;

use super::garbage::Garbage;

/// A way in which Redis goes away.
pub(super) struct Trouble {
    pub(super) name: &'static str,
    pub(super) begin: fn(&mut RedisServer, &FaultProxy) -> Troubled,
}

/// Which trouble there is.
pub(super) enum Troubled {
    Killed,
    Stalled,
    CutOff,
    Silent,
    Answering(Garbage),
}

pub(super) const TROUBLES: &[Trouble] = &[
    Trouble {
        name: "killed and restarted empty",
        begin: |server, _| {
            server.kill();
            Troubled::Killed
        },
    },
    Trouble {
        name: "stalled: accepts and never answers",
        begin: |server, _| {
            server.pause();
            Troubled::Stalled
        },
    },
    Trouble {
        name: "cut off by the network",
        begin: |_, proxy| {
            proxy.reset();
            proxy.down();
            Troubled::CutOff
        },
    },
    Trouble {
        name: "swallowed by the network",
        begin: |_, proxy| {
            proxy.half_open();
            Troubled::Silent
        },
    },
    Trouble {
        name: "answers garbage",
        begin: |server, _| {
            let port = server.port();
            server.kill();
            Troubled::Answering(Garbage::on(port))
        },
    },
];

impl Troubled {
    /// Redis is well again.
    pub(super) fn end(&mut self, server: &mut RedisServer, proxy: &FaultProxy) {
        match self {
            Self::Killed => server.restart(),
            Self::Stalled => server.resume(),
            Self::CutOff | Self::Silent => proxy.recover(),
            Self::Answering(garbage) => {
                garbage.stop();
                server.restart();
            }
        }
    }
}
