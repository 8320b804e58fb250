//! Listens to events: the place where codes show that no caller is told.

use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use cachekit::ErrorCode;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::DefaultGuard;
use tracing::{Dispatch, Event, Metadata, Subscriber};

/// The events of this thread that have a code.
#[derive(Clone, Default)]
pub(super) struct Events(Arc<Mutex<Vec<(String, String)>>>);

impl Events {
    /// Listens from now on, until the guard is dropped.
    pub(super) fn listen() -> (Self, DefaultGuard) {
        let events = Self::default();
        let guard = tracing::subscriber::set_default(events.clone());
        (events, guard)
    }

    /// To be called before anything happens that is to be listened to.
    ///
    /// Tracing notes for each place in the code whether anybody listens, when it is passed for the first time. If that happens in one
    /// thread while another begins to listen, nobody may be heard for good. So somebody always listens, without hearing.
    pub(super) fn prepare() {
        static LISTENER: OnceLock<Dispatch> = OnceLock::new();
        LISTENER.get_or_init(|| Dispatch::new(Self::default()));
    }

    /// The first event with this code, in words.
    pub(super) fn with(&self, code: ErrorCode) -> Result<String, String> {
        let events = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = events.iter().find(|(named, _)| named == code.as_str());
        found.map(|(_, text)| text.clone()).ok_or_else(|| format!("no event has the code {code}: {events:?}"))
    }
}

impl Subscriber for Events {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("cachekit")
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut words = Words::default();
        event.record(&mut words);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((words.code, words.text));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// An event in words.
#[derive(Default)]
struct Words {
    code: String,
    text: String,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "code" {
            self.code = format!("{value:?}");
        }
        let gap = if self.text.is_empty() { "" } else { " " };
        // Writing to a `String` does not fail.
        let _ = write!(self.text, "{gap}{}={value:?}", field.name());
    }
}
