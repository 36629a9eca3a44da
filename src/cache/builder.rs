use std::{fmt, sync::Arc};

use super::{
    Cache, FallbackPolicy,
    keyspace::KeySpace,
    settings::{BACKGROUND_LIMIT, Settings},
};
use crate::{
    background::Background,
    clock::{Clock, RuntimeClock},
    compressor::Snappy,
    error::{Error, Result},
    hook::{Hook, Hooks},
    remember::LoadOptions,
    runtime::{Runtime, ThreadRuntime},
    serializer::Postcard,
    ttl::Ttl,
};

/// What a read does with bytes that are not a value to the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnUndecodable {
    /// Answers a miss and counts it.
    #[default]
    Miss,
    /// Fails with [`ErrorKind::Codec`](crate::ErrorKind::Codec) and counts it.
    Raise,
}

/// The settings of a [`Cache`], each with a default.
///
/// A setting out of range is reported by [`build`](Self::build), the first of them if there are several.
///
/// # Examples
///
/// ```
/// use larder::{Cache, Json, NoCompression};
/// use larder_memory::MemoryBackend;
///
/// let cache = Cache::builder(MemoryBackend::new())
///     .prefix("myapp:cache")
///     .default_ttl("1h")
///     .ttl_jitter(0.1)
///     .serializer(Json)
///     .compressor(NoCompression)
///     .build()?;
///
/// let error = Cache::builder(MemoryBackend::new()).ttl_jitter(1.5).build().unwrap_err();
/// assert_eq!(error.to_string(), "ttl_jitter 1.5: not in [0, 1)");
/// # let _: Cache<MemoryBackend, Json, NoCompression> = cache;
/// # Ok::<(), larder::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct CacheBuilder<B, S = Postcard, C = Snappy> {
    backend: B,
    serializer: S,
    compressor: C,
    keys: KeySpace,
    fallback: FallbackPolicy,
    settings: Settings,
    clock: Option<Arc<dyn Clock>>,
    runtime: Arc<dyn Runtime>,
    background_limit: usize,
    name: Option<Arc<str>>,
    hooks: HookList,
    problem: Option<Error>,
}

/// The hooks that a builder was given.
#[derive(Default)]
struct HookList(Vec<Arc<dyn Hook>>);

impl fmt::Debug for HookList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.len())
    }
}

impl<B> CacheBuilder<B> {
    pub(super) fn new(backend: B) -> Self {
        Self {
            backend,
            serializer: Postcard,
            compressor: Snappy,
            keys: KeySpace::default(),
            fallback: FallbackPolicy::default(),
            settings: Settings::default(),
            clock: None,
            runtime: Arc::new(ThreadRuntime),
            background_limit: BACKGROUND_LIMIT,
            name: None,
            hooks: HookList::default(),
            problem: None,
        }
    }
}

impl<B, S, C> CacheBuilder<B, S, C> {
    /// Puts `prefix` and a colon before every key. Default: none.
    ///
    /// Any text that is not empty; glob characters in it stand for themselves.
    pub fn prefix(mut self, prefix: impl AsRef<str>) -> Self {
        let prefix = prefix.as_ref();
        if prefix.is_empty() {
            return self.refuse(Error::invalid("prefix \"\": it is empty; leave it out for none"));
        }
        self.keys = KeySpace::new(prefix);
        self
    }

    /// The ttl of writes that give [`Ttl::DEFAULT`], and of [`touch`](Cache::touch). Default: none, and such writes
    /// are errors.
    pub fn default_ttl(mut self, ttl: impl TryInto<Ttl, Error: Into<Error>>) -> Self {
        match ttl.try_into().map_err(Into::into) {
            Ok(ttl) if ttl.is_default() => {
                self.refuse(Error::invalid("default_ttl default: it can not be its own default"))
            }
            Ok(ttl) => {
                self.settings.default_ttl = Some(ttl);
                self
            }
            Err(error) => self.refuse(error),
        }
    }

    /// Spreads every ttl evenly over `[1 - jitter, 1 + jitter]` times itself, so that entries written together do
    /// not expire together. From 0 (the default) to below 1.
    ///
    /// Applies to every write of a value and never to [`expire`](Cache::expire) or [`touch`](Cache::touch).
    pub fn ttl_jitter(mut self, jitter: f64) -> Self {
        if !(0.0..1.0).contains(&jitter) {
            return self.refuse(Error::invalid(format!("ttl_jitter {jitter}: not in [0, 1)")));
        }
        self.settings.jitter = jitter;
        self
    }

    /// Encodes values with `serializer`. Default: [`Postcard`].
    pub fn serializer<S2>(self, serializer: S2) -> CacheBuilder<B, S2, C> {
        CacheBuilder {
            backend: self.backend,
            serializer,
            compressor: self.compressor,
            keys: self.keys,
            fallback: self.fallback,
            settings: self.settings,
            clock: self.clock,
            runtime: self.runtime,
            background_limit: self.background_limit,
            name: self.name,
            hooks: self.hooks,
            problem: self.problem,
        }
    }

    /// Compresses values with `compressor`. Default: [`Snappy`].
    pub fn compressor<C2>(self, compressor: C2) -> CacheBuilder<B, S, C2> {
        CacheBuilder {
            backend: self.backend,
            serializer: self.serializer,
            compressor,
            keys: self.keys,
            fallback: self.fallback,
            settings: self.settings,
            clock: self.clock,
            runtime: self.runtime,
            background_limit: self.background_limit,
            name: self.name,
            hooks: self.hooks,
            problem: self.problem,
        }
    }

    /// Compresses values of this many serialized bytes and more, and keeps the result where it is smaller.
    /// Default: 1024.
    pub fn compress_from(mut self, bytes: usize) -> Self {
        self.settings.sealing.compress_from = bytes;
        self
    }

    /// The most bytes a value may have, serialized and not compressed. Default: 64 MiB.
    ///
    /// A larger value is refused by the write. A stored value that claims to be larger once decompressed is
    /// undecodable, and no memory is set aside for it.
    pub fn max_value_bytes(mut self, bytes: usize) -> Self {
        self.settings.sealing.max_value_bytes = bytes;
        self
    }

    /// The version of the types this cache stores. Default: 0.
    ///
    /// Raise it whenever a stored type changes in a way that its format does not notice: [`Postcard`] decodes two
    /// swapped fields of one type into swapped values. What this cache does with an entry of another version:
    ///
    /// | calls | another version's entry |
    /// |---|---|
    /// | `get`, `lookup`, `get_many`, `pull`, `exists`, `ttl` | a miss; it stays |
    /// | `set`, `set_many`, `delete`, `delete_many`, patterns | replaced or removed like any |
    /// | `add` | refused: something is there |
    /// | `replace`, `expire`, `persist`, `touch` | done: a value is there, whatever its version |
    pub fn schema_version(mut self, version: u32) -> Self {
        self.settings.sealing.schema = version;
        self
    }

    /// What a read does with bytes that are not a value to this cache. Default: [`OnUndecodable::Miss`].
    pub fn on_undecodable(mut self, on_undecodable: OnUndecodable) -> Self {
        self.settings.on_undecodable = on_undecodable;
        self
    }

    /// What the calls answer when the backend is away. Default: [`FallbackPolicy::Raise`].
    ///
    /// [`Cache::with_fallback`] overrides it for some calls.
    pub fn fallback(mut self, policy: FallbackPolicy) -> Self {
        self.fallback = policy;
        self
    }

    /// How [`remember`](Cache::remember) works on this cache, where a call does not say. Default: as [`LoadOptions`]
    /// says.
    pub fn load_options(mut self, options: LoadOptions) -> Self {
        if let Err(problem) = options.plan(&LoadOptions::new(), 0) {
            return self.refuse(problem);
        }
        self.settings.load_options = options;
        self
    }

    /// Takes the time from `clock`. Default: [`SystemClock`](crate::SystemClock), with the waits of the [`runtime`](Self::runtime).
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Runs on `runtime` what outlives the call that began it. Default: [`ThreadRuntime`].
    ///
    /// Where loaders use tokio or smol, this has to be theirs: `larder_runtimes::TokioRuntime::current()`,
    /// `larder_runtimes::SmolRuntime`.
    pub fn runtime(mut self, runtime: impl Runtime) -> Self {
        self.runtime = Arc::new(runtime);
        self
    }

    /// How many background loads may run at a time. Default: 1024.
    ///
    /// One more does not begin: its key is refreshed by a later call. With 0 nothing is refreshed in the background.
    pub fn background_limit(mut self, loads: usize) -> Self {
        self.background_limit = loads;
        self
    }

    /// What the cache is called in metrics, spans and events. Default: its prefix, or `larder` without one.
    ///
    /// Scopes have the name of the cache that they are of.
    pub fn name(mut self, name: impl AsRef<str>) -> Self {
        self.name = Some(name.as_ref().into());
        self
    }

    /// Tells `hook` what the cache does. May be called several times; hooks are told in the order they were added.
    ///
    /// To go on using the hook, or to give it to several caches, hand over an `Arc` of it.
    pub fn hook(mut self, hook: impl Hook) -> Self {
        self.hooks.0.push(Arc::new(hook));
        self
    }

    /// Makes the cache.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for the first setting that was out of range.
    pub fn build(self) -> Result<Cache<B, S, C>> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        let mut settings = self.settings;
        settings.clock = self
            .clock
            .unwrap_or_else(|| Arc::new(RuntimeClock::new(Arc::clone(&self.runtime))));
        settings.background = Background::new(self.runtime, self.background_limit);
        settings.name = (self.name)
            .or_else(|| self.keys.prefix().map(Into::into))
            .unwrap_or(settings.name);
        let hooks = Hooks::new(Arc::clone(&settings.name), Arc::clone(&settings.clock), self.hooks.0);
        Ok(Cache::assemble(
            self.backend,
            self.serializer,
            self.compressor,
            self.keys,
            self.fallback,
            hooks,
            settings,
        ))
    }

    fn refuse(mut self, problem: Error) -> Self {
        self.problem.get_or_insert(problem);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_setting_out_of_range_is_the_one_reported() {
        let refusal = |builder: CacheBuilder<()>| builder.build().map(|_| ()).unwrap_err().to_string();
        assert_eq!(
            refusal(Cache::builder(()).ttl_jitter(-0.1).prefix("")),
            "ttl_jitter -0.1: not in [0, 1)"
        );
        assert_eq!(
            refusal(Cache::builder(()).ttl_jitter(1.0)),
            "ttl_jitter 1: not in [0, 1)"
        );
        assert_eq!(
            refusal(Cache::builder(()).ttl_jitter(f64::NAN)),
            "ttl_jitter NaN: not in [0, 1)"
        );
        assert_eq!(
            refusal(Cache::builder(()).prefix("")),
            "prefix \"\": it is empty; leave it out for none"
        );
        assert_eq!(
            refusal(Cache::builder(()).default_ttl("1 hour")),
            r#"ttl "1 hour": expected a unit (w, d, h, m, s or ms) at " hour""#
        );
        assert_eq!(
            refusal(Cache::builder(()).default_ttl(Ttl::DEFAULT)),
            "default_ttl default: it can not be its own default"
        );
    }
}
