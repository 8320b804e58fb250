//! [`TenantNamespaces`]: a namespace divided by tenant.

use std::fmt;
use std::sync::Arc;

use super::{Namespace, NamespaceBuilder, NamespaceCore};
use crate::Result;
use crate::engine::cache::Engine;
use crate::engine::place::Place;
use crate::engine::settings::Settings;

/// A namespace divided by tenant. Entries can only be reached through [`tenant`](Self::tenant): forgetting it does not
/// compile.
///
/// The tenant is part of everything: the stored key, L1, single-flight, fences.
pub struct TenantNamespaces<T> {
    engine: Arc<Engine>,
    core: Arc<NamespaceCore<T>>,
    settings: Arc<Settings>,
}

impl<T: Send + Sync + 'static> TenantNamespaces<T> {
    /// The entries of `tenant`. Cheap enough to ask for at every request.
    ///
    /// # Errors
    /// E042 for a tenant that is empty, or longer than 96 bytes, where all but `A-Z a-z 0-9 . -` count three.
    pub fn tenant(&self, tenant: &str) -> Result<Namespace<T>> {
        let place = Place::of_tenant(self.core.id, &self.core.name, tenant)?;
        let engine = Arc::clone(&self.engine);
        Ok(Namespace {
            engine,
            core: Arc::clone(&self.core),
            place: Arc::new(place),
            settings: Arc::clone(&self.settings),
        })
    }
}

impl<T> Clone for TenantNamespaces<T> {
    fn clone(&self) -> Self {
        Self { engine: Arc::clone(&self.engine), core: Arc::clone(&self.core), settings: Arc::clone(&self.settings) }
    }
}

impl<T> fmt::Debug for TenantNamespaces<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantNamespaces").field("name", &self.core.name).finish_non_exhaustive()
    }
}

/// How a namespace divided by tenant is opened: [`NamespaceBuilder::per_tenant`].
#[must_use = "a builder does nothing until `open`"]
pub struct TenantNamespacesBuilder<T>(NamespaceBuilder<T>);

impl<T: Send + Sync + 'static> TenantNamespacesBuilder<T> {
    pub(super) fn new(builder: NamespaceBuilder<T>) -> Self {
        Self(builder)
    }

    /// Opens the namespace. No I/O.
    ///
    /// # Errors
    /// As for [`NamespaceBuilder::open`].
    pub fn open(self) -> Result<TenantNamespaces<T>> {
        let engine = Arc::clone(&self.0.engine);
        let (core, settings) = self.0.open_core(true)?;
        Ok(TenantNamespaces { engine, core, settings })
    }
}

impl<T> fmt::Debug for TenantNamespacesBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
