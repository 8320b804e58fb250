//! [`Resilience`]: an ordered list of policies.

use std::fmt;
use std::sync::Arc;

use crate::ResiliencePolicy;

/// An ordered list of policies, the outermost first: what a [`ResilientBackend`](crate::ResilientBackend) runs around a
/// backend.
///
/// Order is behaviour: each policy says which neighbours it needs. `Display` prints the whole list with all settings on
/// one line, so that a log tells what is in force. Clones share the policies and so their state: give each backend a
/// list of its own.
#[derive(Clone, Default)]
pub struct Resilience {
    policies: Vec<Arc<dyn ResiliencePolicy>>,
}

impl Resilience {
    /// No policies: calls go out as they come.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// The same list with `policy` inside all that it has.
    #[must_use]
    pub fn with(self, policy: impl ResiliencePolicy) -> Self {
        self.with_shared(Arc::new(policy))
    }

    /// As [`with`](Self::with), for a policy that somebody else keeps a handle to.
    #[must_use]
    pub fn with_shared(mut self, policy: Arc<dyn ResiliencePolicy>) -> Self {
        self.policies.push(policy);
        self
    }

    /// Whether there are no policies.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.policies.is_empty()
    }

    pub(super) fn into_policies(self) -> Vec<Arc<dyn ResiliencePolicy>> {
        self.policies
    }
}

impl fmt::Display for Resilience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.policies.is_empty() {
            return f.write_str("none");
        }
        for (at, policy) in self.policies.iter().enumerate() {
            write!(f, "{}{policy}", if at == 0 { "" } else { " > " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Resilience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Resilience({self})")
    }
}
