use std::fmt;

/// Something a cache does that has a start and an end: a call, or a part of one.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub struct Operation<'a> {
    /// The name of the cache: [`CacheBuilder::name`](crate::CacheBuilder::name).
    pub cache: &'a str,
    /// What it does.
    pub kind: OperationKind,
    /// What it is a part of; `None` for a call of the cache.
    pub parent: Option<OperationKind>,
    /// The key or the pattern: for a call as its caller gave it, for a part of one with the prefix. `None` for a batch.
    ///
    /// Hooks of larder's own never hand it on, unless they are asked to.
    pub key: Option<&'a str>,
    /// The number of keys of a batch.
    pub batch_size: Option<usize>,
    /// Which attempt at the key this is, counted from 1: calls that act on what they saw look again where somebody
    /// else's write came in between.
    pub attempt: u32,
    /// The system that the backend stores in: [`Capabilities::system`](crate::Capabilities::system).
    pub system: &'static str,
}

// By hand: keys are nobody's to print.
impl fmt::Debug for Operation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation")
            .field("cache", &self.cache)
            .field("kind", &self.kind)
            .field("parent", &self.parent)
            .field("batch_size", &self.batch_size)
            .field("attempt", &self.attempt)
            .field("system", &self.system)
            .finish_non_exhaustive()
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal,)*) => {
        /// What an [`Operation`] does.
        ///
        /// The calls of a [`Cache`](crate::Cache) come first, then the loads, then what is asked of the backend.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum OperationKind {
            $($(#[$doc])* $kind,)*
        }

        impl OperationKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// The name of the call in `snake_case`, as errors and labels have it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// [`Cache::get`](crate::Cache::get).
    Get = "get",
    /// [`Cache::get_shared`](crate::Cache::get_shared).
    GetShared = "get_shared",
    /// [`Cache::lookup`](crate::Cache::lookup).
    Lookup = "lookup",
    /// What `peek` of a function that is [`cached`](https://docs.rs/larder/latest/larder/attr.cached.html) does.
    Peek = "peek",
    /// [`Cache::get_many`](crate::Cache::get_many).
    GetMany = "get_many",
    /// [`Cache::get_many_results`](crate::Cache::get_many_results).
    GetManyResults = "get_many_results",
    /// [`Cache::exists`](crate::Cache::exists).
    Exists = "exists",
    /// [`Cache::ttl`](crate::Cache::ttl) and [`pttl`](crate::Cache::pttl).
    Ttl = "ttl",
    /// [`Cache::pull`](crate::Cache::pull).
    Pull = "pull",
    /// [`Cache::set`](crate::Cache::set).
    Set = "set",
    /// [`Cache::add`](crate::Cache::add).
    Add = "add",
    /// [`Cache::replace`](crate::Cache::replace).
    Replace = "replace",
    /// [`Cache::set_many`](crate::Cache::set_many).
    SetMany = "set_many",
    /// [`Cache::set_many_results`](crate::Cache::set_many_results).
    SetManyResults = "set_many_results",
    /// [`Cache::delete`](crate::Cache::delete).
    Delete = "delete",
    /// [`Cache::delete_many`](crate::Cache::delete_many).
    DeleteMany = "delete_many",
    /// [`Cache::delete_many_results`](crate::Cache::delete_many_results).
    DeleteManyResults = "delete_many_results",
    /// [`Cache::delete_pattern`](crate::Cache::delete_pattern) and
    /// [`delete_pattern_with`](crate::Cache::delete_pattern_with).
    DeletePattern = "delete_pattern",
    /// [`Cache::clear`](crate::Cache::clear) and [`clear_with`](crate::Cache::clear_with).
    Clear = "clear",
    /// [`Cache::clear_database`](crate::Cache::clear_database).
    ClearDatabase = "clear_database",
    /// [`Cache::keys`](crate::Cache::keys), from the call to the end of the stream.
    Keys = "keys",
    /// [`Cache::expire`](crate::Cache::expire).
    Expire = "expire",
    /// [`Cache::touch`](crate::Cache::touch).
    Touch = "touch",
    /// [`Cache::persist`](crate::Cache::persist).
    Persist = "persist",
    /// [`Cache::remember`](crate::Cache::remember), [`remember_with`](crate::Cache::remember_with) and functions that
    /// are `cached`.
    Remember = "remember",
    /// [`Cache::remember_many`](crate::Cache::remember_many) and
    /// [`remember_many_with`](crate::Cache::remember_many_with).
    RememberMany = "remember_many",
    /// [`Cache::remember_detached`](crate::Cache::remember_detached).
    RememberDetached = "remember_detached",
    /// A loader of the caller's runs.
    Load = "load",
    /// A load that can outlive its call, with its fence and its fill. It ends by itself, often after the call.
    DetachedLoad = "detached_load",
    /// [`CacheBackend::get`](crate::CacheBackend::get).
    BackendGet = "backend_get",
    /// [`CacheBackend::get_many`](crate::CacheBackend::get_many).
    BackendGetMany = "backend_get_many",
    /// [`CacheBackend::head`](crate::CacheBackend::head).
    BackendHead = "backend_head",
    /// [`CacheBackend::set`](crate::CacheBackend::set).
    BackendSet = "backend_set",
    /// [`CacheBackend::set_many`](crate::CacheBackend::set_many).
    BackendSetMany = "backend_set_many",
    /// [`CacheBackend::delete`](crate::CacheBackend::delete).
    BackendDelete = "backend_delete",
    /// [`CacheBackend::delete_many`](crate::CacheBackend::delete_many).
    BackendDeleteMany = "backend_delete_many",
    /// [`CacheBackend::expire`](crate::CacheBackend::expire).
    BackendExpire = "backend_expire",
    /// [`CacheBackend::persist`](crate::CacheBackend::persist).
    BackendPersist = "backend_persist",
    /// One page of a [`CacheBackend::scan`](crate::CacheBackend::scan).
    BackendScan = "backend_scan",
    /// [`CacheBackend::delete_matching`](crate::CacheBackend::delete_matching).
    BackendDeleteMatching = "backend_delete_matching",
}

impl OperationKind {
    /// Tells whether this is a call of a cache, and not a part of one.
    #[must_use]
    pub const fn is_call(self) -> bool {
        (self as u8) < Self::Load as u8
    }

    /// Tells whether this is a load.
    #[must_use]
    pub const fn is_load(self) -> bool {
        matches!(self, Self::Load | Self::DetachedLoad)
    }

    /// Tells whether this is asked of the backend.
    #[must_use]
    pub const fn is_backend_call(self) -> bool {
        self as u8 > Self::DetachedLoad as u8
    }

    pub(super) const fn bit(self) -> u64 {
        1 << self as u8
    }
}

const _: () = assert!(OperationKind::ALL.len() <= 64, "kinds are kept as the bits of a u64");
