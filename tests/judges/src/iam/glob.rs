//! Patterns of IAM: `*` stands for any characters, `?` for one.

/// Returns true if a pattern matches a string.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut read, mut star) = (0, 0, None);
    while read < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(c) if *c == '?' || *c == text[read] => {
                at += 1;
                read += 1;
            }
            _ => {
                let Some((star_at, from)) = star else { return false };
                at = star_at + 1;
                read = from + 1;
                star = Some((star_at, read));
            }
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

/// Returns true if some ARN matches both patterns. Only the last of the six parts of an ARN has colons.
pub(super) fn arns_overlap(one: &str, other: &str) -> bool {
    let parts = |text: &str| -> Vec<String> { text.splitn(6, ':').map(ToOwned::to_owned).collect() };
    let (one_parts, other_parts) = (parts(one), parts(other));
    if one_parts.len() != other_parts.len() {
        return overlap(one, other);
    }
    one_parts.iter().zip(&other_parts).all(|(one, other)| overlap(one, other))
}

/// Returns true if some string matches both patterns.
fn overlap(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    // `reached[j]`: the characters of `one` so far and the first j of `other` have a string in common.
    let mut reached = vec![false; other.len() + 1];
    reached[0] = true;
    for j in 0..other.len() {
        reached[j + 1] = reached[j] && other[j] == '*';
    }
    for c in &one {
        let mut next = vec![false; other.len() + 1];
        next[0] = reached[0] && *c == '*';
        for j in 0..other.len() {
            let d = other[j];
            next[j + 1] = if *c == '*' || d == '*' {
                // The star stands for nothing, or for one more character of the other pattern.
                reached[j + 1] || next[j]
            } else {
                reached[j] && (*c == d || *c == '?' || d == '?')
            };
        }
        reached = next;
    }
    reached[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_iam() {
        for (pattern, text, expected) in [
            ("*", "anything", true),
            ("a:*:c", "a:b:c", true),
            ("a:*:c", "a:b:d", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("sqs:Get*", "sqs:GetQueueUrl", true),
            ("a*b*c", "a-b-b-c", true),
            ("ab", "abc", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn patterns_overlap_if_a_string_matches_both() {
        for (one, other, expected) in [
            ("*", "x", true),
            ("a*", "*b", true),
            ("a*c", "ab*", true),
            ("arn:aws:sqs:*:*:q-*", "arn:*:sqs:*:*:*", true),
            ("arn:aws:kinesis:*:*:stream/*", "arn:*:sqs:*:*:*", false),
            ("arn:aws:logs:*:*:log-group:g", "arn:*:logs:*:*:log-group:*:log-stream:*", false),
            ("arn:aws:logs:*:*:log-group:g:*", "arn:*:logs:*:*:log-group:*:log-stream:*", true),
            ("ab", "abc", false),
            ("", "*", true),
        ] {
            assert_eq!(
                (arns_overlap(one, other), arns_overlap(other, one)),
                (expected, expected),
                "{one} {other}"
            );
        }
    }
}
