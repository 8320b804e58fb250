//! Cached functions whose entries other clients share: the key is made of the arguments as they make it.

use cachekit_core::{Error, IntoKey, KeyWriter, NamespaceBuilder, OwnedLoads, Serializer};
use cachekit_serde::interop::{ArgWriter, InteropKey, InteropValues};

use super::missing::{Entered, Missing};
use super::shape::Plain;
use super::site::{Outdated, Site, SiteOptions};
use super::source::Source;

impl<V: Send + Sync + 'static> Site<V>
where
    InteropValues: Serializer<V>,
{
    /// Looks up what the arguments name, of which `write` writes so many.
    pub fn enter_interop<Here, P, S>(
        &'static self,
        source: S,
        arguments: usize,
        write: impl Fn(&mut ArgWriter),
    ) -> Entered<P::Return, V>
    where
        P: Plain<Value = V>,
        S: Source<V>,
    {
        let function = self.options.function;
        let key = match InteropKey::of_call(arguments, write) {
            Ok(key) => key,
            Err(error) => {
                report(function, &error);
                return Entered::Missing(Missing { at: None, function });
            }
        };
        self.with_namespace::<Here, S, _>(source, true, in_interop_layout, |namespace| {
            let Ok(namespace) = namespace else { return Entered::Missing(Missing { at: None, function }) };
            match namespace.lookup(&key).and_then(P::found) {
                Some(found) => Entered::Found(found),
                None => Entered::Missing(Missing { at: Some((namespace.clone(), written(&key))), function }),
            }
        })
    }

    /// Names what the arguments name, to be invalidated.
    pub fn outdated_interop<Here, P, S>(
        &'static self,
        source: S,
        arguments: usize,
        write: impl Fn(&mut ArgWriter),
    ) -> Outdated<V>
    where
        P: Plain<Value = V>,
        S: Source<V>,
    {
        let key = match InteropKey::of_call(arguments, write) {
            Ok(key) => key,
            Err(error) => return Outdated(Err(error)),
        };
        Outdated(self.with_namespace::<Here, S, _>(source, false, in_interop_layout, |namespace| match namespace {
            Ok(namespace) => Ok((namespace.clone(), written(&key))),
            Err(error) => Err(error.clone()),
        }))
    }
}

fn in_interop_layout<V>(
    builder: NamespaceBuilder<V, OwnedLoads>,
    options: &SiteOptions,
) -> NamespaceBuilder<V, OwnedLoads>
where
    V: Send + Sync + 'static,
    InteropValues: Serializer<V>,
{
    builder.serializer(InteropValues).interop(options.interop.unwrap_or_default())
}

/// The key on its own, for the arguments go to the loader.
fn written(key: &InteropKey) -> KeyWriter {
    let mut writer = KeyWriter::new(&[]);
    key.write_key(&mut writer);
    writer
}

/// An argument that is outside the model is the caller's affair, and each time another one.
#[cold]
fn report(function: &'static str, error: &Error) {
    tracing::warn!(code = %error.code(), %error, function, "call runs uncached");
}
