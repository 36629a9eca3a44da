use crate::hook::Event;

/// What is counted of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Signal {
    pub(super) kind: SignalKind,
    /// What tells its counts apart; empty where nothing does.
    pub(super) value: &'static str,
    pub(super) count: u64,
}

/// The counters of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignalKind {
    BackgroundLoads,
    LeaseWaits,
    FallbackAnswers,
    BreakerChanges,
    FallbackSwitches,
    JournalReplayed,
    JournalOverflowed,
}

impl SignalKind {
    pub(super) const ALL: [Self; 7] = [
        Self::BackgroundLoads,
        Self::LeaseWaits,
        Self::FallbackAnswers,
        Self::BreakerChanges,
        Self::FallbackSwitches,
        Self::JournalReplayed,
        Self::JournalOverflowed,
    ];

    #[cfg(feature = "collector")]
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::BackgroundLoads => "background_loads",
            Self::LeaseWaits => "lease_waits",
            Self::FallbackAnswers => "fallback_answers",
            Self::BreakerChanges => "breaker_changes",
            Self::FallbackSwitches => "fallback_switches",
            Self::JournalReplayed => "journal_replayed",
            Self::JournalOverflowed => "journal_overflowed",
        }
    }

    /// The label that tells its counts apart, and the values that it takes.
    pub(super) const fn label(self) -> Option<(&'static str, &'static [&'static str])> {
        match self {
            Self::BackgroundLoads => Some((
                "outcome",
                &["loaded", "failed", "raised", "panicked", "timed_out", "refused"],
            )),
            Self::LeaseWaits => Some(("outcome", &["changed", "taken_over", "gave_up"])),
            Self::BreakerChanges => Some(("state", &["closed", "open", "half_open"])),
            Self::FallbackSwitches => Some(("state", &["primary", "secondary", "replaying"])),
            Self::FallbackAnswers | Self::JournalReplayed | Self::JournalOverflowed => None,
        }
    }
}

impl Signal {
    pub(super) const fn of(event: &Event<'_>) -> Self {
        let (kind, value, count) = match event {
            Event::BackgroundLoad { outcome, .. } => (SignalKind::BackgroundLoads, outcome.as_str(), 1),
            Event::LeaseWaited { outcome, .. } => (SignalKind::LeaseWaits, outcome.as_str(), 1),
            Event::FallbackAnswered { .. } => (SignalKind::FallbackAnswers, "", 1),
            Event::BreakerChanged { state, .. } => (SignalKind::BreakerChanges, state.as_str(), 1),
            Event::FallbackSwitched { state, .. } => (SignalKind::FallbackSwitches, state.as_str(), 1),
            Event::JournalReplayed { entries, .. } => (SignalKind::JournalReplayed, "", *entries as u64),
            Event::JournalOverflowed { .. } => (SignalKind::JournalOverflowed, "", 1),
        };
        Self { kind, value, count }
    }
}
