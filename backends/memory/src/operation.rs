use std::fmt;

/// A method of [`CacheBackend`](larder::CacheBackend), as faults and call counts name it.
///
/// # Examples
///
/// ```
/// use larder_memory::Operation;
///
/// assert_eq!(Operation::SetMany.as_str(), "set_many");
/// assert_eq!(Operation::ALL.len(), 10);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Operation {
    /// `get`
    Get,
    /// `get_many`
    GetMany,
    /// `head`
    Head,
    /// `set`
    Set,
    /// `set_many`
    SetMany,
    /// `delete`
    Delete,
    /// `delete_many`
    DeleteMany,
    /// `expire`
    Expire,
    /// `persist`
    Persist,
    /// One page of a `scan`.
    Scan,
}

impl Operation {
    /// Every operation, in the order of the trait.
    pub const ALL: [Self; 10] = [
        Self::Get,
        Self::GetMany,
        Self::Head,
        Self::Set,
        Self::SetMany,
        Self::Delete,
        Self::DeleteMany,
        Self::Expire,
        Self::Persist,
        Self::Scan,
    ];

    /// The name of the method.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::GetMany => "get_many",
            Self::Head => "head",
            Self::Set => "set",
            Self::SetMany => "set_many",
            Self::Delete => "delete",
            Self::DeleteMany => "delete_many",
            Self::Expire => "expire",
            Self::Persist => "persist",
            Self::Scan => "scan",
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
