//! [`Tenancy`]: whose entries a call is about.

use std::fmt;

use cachekit_core::{Error, ErrorCode, Namespace, OwnedLoads, Result, TenantNamespaces};

use crate::tenant::with_tenant;

/// Whose entries a call is about.
pub trait Tenancy {
    /// Whether the namespace is divided by tenant.
    const DIVIDED: bool;

    /// Hands over the part of what was opened that the call is about, or why there is none.
    fn with<V, R>(&self, opened: &Opened<V>, then: impl FnOnce(Result<&Namespace<V, OwnedLoads>, &Error>) -> R) -> R
    where
        V: Send + Sync + 'static;
}

/// A namespace of a cached function, which is [`Tenancy::DIVIDED`] or not.
pub enum Opened<V> {
    /// It is not.
    Whole(Namespace<V, OwnedLoads>),
    /// It is.
    Divided(TenantNamespaces<V, OwnedLoads>),
}

/// Nobody's in particular.
#[derive(Clone, Copy, Debug)]
pub struct Undivided;

/// Those of the tenant that `tenant = ..` names.
#[derive(Clone, Copy)]
pub struct OfTenant<'a>(pub &'a str);

/// Those of the tenant of the [`tenant_scope`](crate::tenant_scope) around the call.
#[derive(Clone, Copy, Debug)]
pub struct OfScope;

impl Tenancy for Undivided {
    const DIVIDED: bool = false;

    #[inline]
    fn with<V, R>(&self, opened: &Opened<V>, then: impl FnOnce(Result<&Namespace<V, OwnedLoads>, &Error>) -> R) -> R
    where
        V: Send + Sync + 'static,
    {
        match opened {
            Opened::Whole(namespace) => then(Ok(namespace)),
            Opened::Divided(_) => then(Err(&missing())),
        }
    }
}

impl Tenancy for OfTenant<'_> {
    const DIVIDED: bool = true;

    fn with<V, R>(&self, opened: &Opened<V>, then: impl FnOnce(Result<&Namespace<V, OwnedLoads>, &Error>) -> R) -> R
    where
        V: Send + Sync + 'static,
    {
        let part = match opened {
            Opened::Divided(tenants) => tenants.tenant(self.0),
            Opened::Whole(_) => Err(missing()),
        };
        then(part.as_ref())
    }
}

impl Tenancy for OfScope {
    const DIVIDED: bool = true;

    fn with<V, R>(&self, opened: &Opened<V>, then: impl FnOnce(Result<&Namespace<V, OwnedLoads>, &Error>) -> R) -> R
    where
        V: Send + Sync + 'static,
    {
        with_tenant(|tenant| match tenant {
            Some(tenant) => OfTenant(tenant).with(opened, then),
            None => then(Err(&missing())),
        })
    }
}

#[cold]
fn missing() -> Error {
    let message = "tenant: expected a `cachekit::tenant_scope` around the call, got none";
    Error::new(ErrorCode::E007, message)
}

impl<V> fmt::Debug for Opened<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(namespace) => namespace.fmt(f),
            Self::Divided(tenants) => tenants.fmt(f),
        }
    }
}

/// The name may be a person's or a customer's.
impl fmt::Debug for OfTenant<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OfTenant")
    }
}
