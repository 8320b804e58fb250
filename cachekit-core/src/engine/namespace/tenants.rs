//! [`TenantNamespaces`]: a namespace divided by tenant.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use super::{Namespace, NamespaceBuilder, NamespaceCore};
use crate::Result;
use crate::engine::cache::Engine;
use crate::engine::place::Place;
use crate::engine::settings::Settings;
use crate::engine::staleness::{BorrowedLoads, Loads};

/// A namespace divided by tenant. Entries can only be reached through [`tenant`](Self::tenant): forgetting it does not
/// compile.
///
/// The tenant is part of everything: the stored key, L1, single-flight, fences.
pub struct TenantNamespaces<T, L = BorrowedLoads> {
    engine: Arc<Engine>,
    core: Arc<NamespaceCore<T>>,
    settings: Arc<Settings>,
    loads: PhantomData<fn() -> L>,
}

impl<T: Send + Sync + 'static, L: Loads> TenantNamespaces<T, L> {
    /// The entries of `tenant`. Cheap enough to ask for at every request.
    ///
    /// # Errors
    /// E042 for a tenant that is empty, or longer than 96 bytes, where all but `A-Z a-z 0-9 . -` count three.
    pub fn tenant(&self, tenant: &str) -> Result<Namespace<T, L>> {
        let place = Place::of_tenant(self.core.id, &self.core.name, tenant)?;
        let engine = Arc::clone(&self.engine);
        Ok(Namespace {
            engine,
            core: Arc::clone(&self.core),
            place: Arc::new(place),
            settings: Arc::clone(&self.settings),
            loads: PhantomData,
        })
    }
}

impl<T, L> Clone for TenantNamespaces<T, L> {
    fn clone(&self) -> Self {
        let Self { engine, core, settings, loads } = self;
        Self { engine: Arc::clone(engine), core: Arc::clone(core), settings: Arc::clone(settings), loads: *loads }
    }
}

impl<T, L> fmt::Debug for TenantNamespaces<T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TenantNamespaces").field("name", &self.core.name).finish_non_exhaustive()
    }
}

/// How a namespace divided by tenant is opened: [`NamespaceBuilder::per_tenant`].
#[must_use = "a builder does nothing until `open`"]
pub struct TenantNamespacesBuilder<T, L = BorrowedLoads>(NamespaceBuilder<T, L>);

impl<T: Send + Sync + 'static, L: Loads> TenantNamespacesBuilder<T, L> {
    pub(super) fn new(builder: NamespaceBuilder<T, L>) -> Self {
        Self(builder)
    }

    /// Opens the namespace. No I/O.
    ///
    /// # Errors
    /// As for [`NamespaceBuilder::open`].
    pub fn open(self) -> Result<TenantNamespaces<T, L>> {
        let engine = Arc::clone(&self.0.engine);
        let (core, settings) = self.0.open_core(true)?;
        Ok(TenantNamespaces { engine, core, settings, loads: PhantomData })
    }
}

impl<T, L> fmt::Debug for TenantNamespacesBuilder<T, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
