//! The conformance suite against backends that break the contract in one way each: it must find that way.

mod broken;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use broken::{Broken, Flaw, Looks};
use futures::executor::block_on;
use larder::{
    ManualClock,
    conformance::{self, Subject},
};
use larder_memory::MemoryBackend;

struct Fixture(Arc<Broken>, ManualClock);

impl Subject for Fixture {
    type Backend = Broken;

    fn backend(&self) -> Arc<Broken> {
        Arc::clone(&self.0)
    }

    async fn pass(&self, span: Duration) {
        self.1.advance(span);
    }

    async fn put_other_type(&self, key: &str) -> bool {
        self.0.sound.insert_other_type(key);
        true
    }

    async fn other_type_stands(&self, key: &str) -> bool {
        self.0.sound.holds_other_type(key)
    }
}

fn fixture(flaw: Flaw) -> Fixture {
    let clock = ManualClock::new();
    let sound = MemoryBackend::with_clock(clock.clone());
    let looks = Looks::default();
    Fixture(
        Arc::new(Broken {
            sound,
            flaw,
            looks,
            written: Mutex::default(),
        }),
        clock,
    )
}

/// Holds the suite to find this flaw, under these sentences and no others.
fn assert_found(flaw: Flaw, expected: &[&str]) {
    let failures = block_on(conformance::failures(&fixture(flaw)));
    let found: BTreeSet<&str> = failures.iter().map(|failure| &*failure.sentence).collect();
    assert_eq!(
        found,
        expected.iter().copied().collect(),
        "{flaw:?} was found by: {failures:#?}"
    );
}

#[test]
fn conformance_bites_where_keep_stores_on_a_missing_key() {
    assert_found(
        Flaw::KeepStoresWhereNothingStands,
        &[
            "a key that is deleted while others keep its life does not come back",
            "keep on a missing key answers missing and stores nothing",
            "keep on an expired key answers missing and stores nothing",
            "keep works in a batch as it does alone",
        ],
    );
}

#[test]
fn conformance_bites_where_an_empty_prefix_is_accepted() {
    assert_found(
        Flaw::EmptyPrefixMeansAnything,
        &["an empty prefix is refused everywhere and nothing changes"],
    );
}

#[test]
fn conformance_bites_where_a_key_in_parts_loses_its_prefix() {
    assert_found(
        Flaw::GetJoinedLeavesOutThePrefix,
        &["a key in two parts reads as the whole wherever it is split"],
    );
}

#[test]
fn conformance_bites_where_an_answer_at_once_is_another() {
    for flaw in [Flaw::AtOnceEveryKeyIsMissing, Flaw::AtOnceTheDeadAreServed] {
        assert_found(flaw, &["what is answered at once is what get answers"]);
    }
}

#[test]
fn conformance_bites_where_if_absent_is_two_steps() {
    assert_found(
        Flaw::IfAbsentLooksFirstAndWritesLater,
        &[
            "of 64 sets under if absent in batches one writes each key",
            "of 64 sets under if absent one writes",
        ],
    );
}

#[test]
fn conformance_bites_where_a_prefix_is_two_steps() {
    assert_found(
        Flaw::PrefixLooksFirstAndWritesLater,
        &[
            "of 64 sets under the same prefix one writes",
            "of 64 sets under the same prefix that keep the life one writes",
        ],
    );
}

#[test]
fn conformance_bites_where_delete_is_two_steps() {
    assert_found(Flaw::DeleteLooksFirstAndRemovesLater, &["of 64 deletes one removes"]);
}

#[test]
fn conformance_bites_where_lives_are_rounded_to_seconds() {
    assert_found(
        Flaw::LivesAreRoundedUpToSeconds,
        &[
            "a life below a second is neither rounded up nor cut to nothing",
            "a life is kept to the millisecond and not to the second",
            "a part of a millisecond counts as a whole one",
        ],
    );
}

#[test]
fn conformance_bites_where_short_lives_are_for_ever() {
    assert_found(
        Flaw::LivesBelowASecondAreForEver,
        &[
            "a life below a second is neither rounded up nor cut to nothing",
            "a part of a millisecond counts as a whole one",
        ],
    );
}

#[test]
fn conformance_bites_where_a_scan_never_ends() {
    assert_found(
        Flaw::ScanNeverEnds,
        &[
            "a class takes one of its bytes",
            "a dropped scan leaves the backend usable",
            "a key may hold spaces newlines nul and any unicode",
            "a key of 64 kibibytes is a key like any other",
            "a literal pattern lists that key alone",
            "a lone star lists the empty key too",
            "a question mark takes one byte",
            "a scan borrows its pattern for the call alone",
            "a scan does not list deleted keys",
            "a scan does not list expired keys",
            "a scan lists each of 100 000 keys in bounded pages",
            "a scan lists every key that stands while others come and go",
            "a scan that matches nothing ends",
            "a star takes any number of bytes",
            "an escaped pattern lists the key it spells",
            "glob characters in a prefix match only themselves when escaped",
            "the empty key is a key like any other",
            "two scans at once do not disturb each other",
        ],
    );
}

#[test]
fn conformance_bites_where_a_scan_is_one_page() {
    assert_found(
        Flaw::ScanAnswersInOnePage,
        &[
            "a scan lists each of 100 000 keys in bounded pages",
            "a scan lists every key that stands while others come and go",
        ],
    );
}

#[test]
fn conformance_bites_where_a_scan_ignores_its_pattern() {
    assert_found(
        Flaw::ScanIgnoresThePattern,
        &[
            "a class takes one of its bytes",
            "a literal pattern lists that key alone",
            "a lone star lists the empty key too",
            "a question mark takes one byte",
            "a scan that matches nothing ends",
            "a star takes any number of bytes",
            "an escaped pattern lists the key it spells",
            "glob characters in a prefix match only themselves when escaped",
        ],
    );
}

#[test]
fn conformance_bites_where_a_scan_leaves_keys_out() {
    assert_found(
        Flaw::ScanLeavesOutTheSecondPage,
        &[
            "a dropped scan leaves the backend usable",
            "a scan lists each of 100 000 keys in bounded pages",
            "a scan lists every key that stands while others come and go",
            "two scans at once do not disturb each other",
        ],
    );
}

#[test]
fn conformance_bites_where_delete_many_answers_in_the_wrong_order() {
    assert_found(
        Flaw::DeleteManyAnswersBackwards,
        &[
            "a batch of 10 000 is answered in the order given",
            "a key given twice is removed once and missing the second time",
            "a key of another type is removed by delete many",
            "present and missing keys of a batch keep their places",
        ],
    );
}

#[test]
fn conformance_bites_where_get_many_leaves_out_duplicates() {
    assert_found(
        Flaw::GetManyLeavesOutDuplicates,
        &[
            "a key given twice is read twice",
            "a key of another type reads as missing",
            "an expired key is missing to every read",
        ],
    );
}

#[test]
fn conformance_bites_where_one_bad_write_fails_its_batch() {
    assert_found(Flaw::SetManyFailsAsAWhole, &["a bad write in a batch fails alone"]);
}

#[test]
fn conformance_bites_where_an_empty_value_is_missing() {
    assert_found(
        Flaw::EmptyValuesAreMissing,
        &[
            "an empty value is there",
            "delete removes under each condition that holds and under no other",
            "expire gives a life under each condition that holds and under no other",
            "persist takes the life off under each condition that holds and under no other",
            "set under a prefix writes only over a value that begins with it",
            "set under if absent writes only where nothing stands",
        ],
    );
}

#[test]
fn conformance_bites_where_the_head_tells_its_own_length() {
    assert_found(
        Flaw::HeadCutsTheLengthToo,
        &[
            "a key may hold spaces newlines nul and any unicode",
            "a key of 64 kibibytes is a key like any other",
            "a reader never sees a value that is half written",
            "a value of one mebibyte comes back whole",
            "the empty key is a key like any other",
            "the head is as many bytes as were asked for and the whole length",
        ],
    );
}

#[test]
fn conformance_bites_where_if_absent_replaces_other_types() {
    assert_found(
        Flaw::IfAbsentReplacesOtherTypes,
        &["a key of another type is a mismatch to if absent"],
    );
}

#[test]
fn conformance_bites_where_delete_matching_takes_its_pattern_for_a_key() {
    assert_found(
        Flaw::DeleteMatchingTakesThePatternForAKey,
        &[
            "delete matching matches as a scan does",
            "delete matching neither counts expired keys nor those that were deleted",
            "delete matching removes and counts a key whatever it holds",
            "delete matching removes more keys than a page holds",
            "delete matching removes the keys that match and no others",
            "delete matching takes an escaped pattern for the key it spells",
        ],
    );
}

#[test]
fn conformance_bites_where_delete_matching_ignores_its_pattern() {
    assert_found(
        Flaw::DeleteMatchingIgnoresThePattern,
        &[
            "delete matching answers zero where nothing matches",
            "delete matching matches as a scan does",
            "delete matching removes more keys than a page holds",
            "delete matching removes the keys that match and no others",
            "delete matching takes an escaped pattern for the key it spells",
        ],
    );
}

#[test]
fn conformance_bites_where_delete_matching_ends_after_a_page() {
    assert_found(
        Flaw::DeleteMatchingEndsAfterAPage,
        &["delete matching removes more keys than a page holds"],
    );
}

#[test]
fn conformance_bites_where_delete_matching_counts_what_was_gone() {
    assert_found(
        Flaw::DeleteMatchingCountsKeysThatWereGone,
        &[
            "delete matching answers zero where nothing matches",
            "delete matching neither counts expired keys nor those that were deleted",
            "delete matching removes and counts a key whatever it holds",
            "delete matching removes the keys that match and no others",
        ],
    );
}

#[test]
fn conformance_bites_where_progress_goes_down_or_stops_short() {
    for flaw in [Flaw::ProgressCountsEachBatchAlone, Flaw::ProgressLeavesOutTheEnd] {
        assert_found(
            flaw,
            &["delete matching with tells counts that go up to what it answers"],
        );
    }
}

#[test]
fn conformance_bites_where_progress_tells_of_keys_that_do_not_match() {
    assert_found(
        Flaw::ProgressTellsOfKeysThatDoNotMatch,
        &["delete matching with tells of no key where nothing matches"],
    );
}

#[test]
#[should_panic(expected = "keep on a missing key answers missing and stores nothing")]
fn the_panic_of_the_suite_names_the_sentence() {
    block_on(conformance::backend(&fixture(Flaw::KeepStoresWhereNothingStands)));
}
