use super::{run::cases, stage::Stage, subject::Subject};
use crate::glob;

cases![
    a_literal_pattern_lists_that_key_alone,
    a_star_takes_any_number_of_bytes,
    a_question_mark_takes_one_byte,
    a_class_takes_one_of_its_bytes,
    an_escaped_pattern_lists_the_key_it_spells,
    glob_characters_in_a_prefix_match_only_themselves_when_escaped,
    a_lone_star_lists_the_empty_key_too,
];

const NAMES_IN_STORE: [&str; 18] = [
    "a", "b", "c", "ab", "abc", "a*", "a?", "[a]", "[a-c]", "a]", "\\", "a\\*", "é", "日本", "a:b", "a b", "^", "-",
];

/// Lists by `pattern`, put behind this case's own prefix, and compares with the names that should be there.
async fn check<S: Subject>(stage: &Stage<'_, S>, pattern: &str, expected: &[&str]) {
    let escaped = glob::escape(stage.prefix());
    let seen = stage.scan(&format!("{escaped}{pattern}")).await;
    let mut listed: Vec<&str> = seen
        .keys()
        .map(|key| {
            key.strip_prefix(stage.prefix())
                .expect("a key outside the prefix was listed")
        })
        .collect();
    listed.sort_unstable();
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(listed, expected, "by the pattern {pattern:?}");
}

async fn fill<S: Subject>(stage: &Stage<'_, S>) {
    for name in NAMES_IN_STORE {
        let key = stage.key(name);
        stage.put(&key, "v").await;
    }
}

async fn a_literal_pattern_lists_that_key_alone<S: Subject>(stage: &Stage<'_, S>) {
    fill(stage).await;
    for name in ["a", "abc", "é", "日本", "a:b", "a b"] {
        check(stage, name, &[name]).await;
    }
    check(stage, "A", &[]).await;
}

async fn a_star_takes_any_number_of_bytes<S: Subject>(stage: &Stage<'_, S>) {
    fill(stage).await;
    check(stage, "*", &NAMES_IN_STORE).await;
    check(stage, "a*", &["a", "ab", "abc", "a*", "a?", "a]", "a\\*", "a:b", "a b"]).await;
    check(stage, "*c", &["c", "abc"]).await;
    check(stage, "a*c", &["abc"]).await;
    check(stage, "**b", &["b", "ab", "a:b", "a b"]).await;
}

async fn a_question_mark_takes_one_byte<S: Subject>(stage: &Stage<'_, S>) {
    fill(stage).await;
    check(stage, "a?", &["ab", "a*", "a?", "a]"]).await;
    check(stage, "?", &["a", "b", "c", "\\", "^", "-"]).await;
    check(stage, "??????", &["日本"]).await;
}

async fn a_class_takes_one_of_its_bytes<S: Subject>(stage: &Stage<'_, S>) {
    fill(stage).await;
    check(stage, "[a-c]", &["a", "b", "c"]).await;
    check(stage, "[c-a]", &["a", "b", "c"]).await;
    check(stage, "[ac]", &["a", "c"]).await;
    check(stage, "[^ac]", &["b", "\\", "^", "-"]).await;
    check(stage, "[-a^]", &["a", "^", "-"]).await;
    check(stage, r"a[\]*]", &["a]", "a*"]).await;
}

async fn an_escaped_pattern_lists_the_key_it_spells<S: Subject>(stage: &Stage<'_, S>) {
    fill(stage).await;
    check(stage, r"a\*", &["a*"]).await;
    check(stage, r"a\?", &["a?"]).await;
    check(stage, r"\[a-c\]", &["[a-c]"]).await;
    for name in NAMES_IN_STORE {
        check(stage, &glob::escape(name), &[name]).await;
    }
}

async fn glob_characters_in_a_prefix_match_only_themselves_when_escaped<S: Subject>(stage: &Stage<'_, S>) {
    for prefix in ["a*:", "a[bc]:", "a?:", r"a\:", "日*本:", "[", "]", "*"] {
        let own = stage.key(format_args!("{prefix}own"));
        stage.put(&own, "v").await;
    }
    for neighbour in ["ab:own", "abc:own", "ac:own", "a:own", "日x本:own", "xown"] {
        let key = stage.key(neighbour);
        stage.put(&key, "v").await;
    }
    for prefix in ["a*:", "a[bc]:", "a?:", r"a\:", "日*本:"] {
        let own = format!("{prefix}own");
        check(stage, &format!("{}*", glob::escape(prefix)), &[&own]).await;
    }
    for prefix in ["[", "]", "*"] {
        let own = format!("{prefix}own");
        check(stage, &format!("{}*", glob::escape(prefix)), &[&own]).await;
    }
}

async fn a_lone_star_lists_the_empty_key_too<S: Subject>(stage: &Stage<'_, S>) {
    let own = stage.key("own");
    stage.put(&own, "v").await;
    stage.put(stage.empty_key(), "v").await;
    let seen = stage.scan("*").await;
    assert!(seen.contains_key("") && seen.contains_key(&own), "by the pattern \"*\"");
    let alone = stage.scan("").await;
    assert_eq!(alone.len(), 1, "the empty pattern matches the empty key alone");
}
