//! Patterns of names, as shells have them.

/// Whether a name is like a pattern: `*` is any text, `?` one byte, `[a-c]` one of these, `[!a-c]` any other.
pub(super) fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return name.is_empty() };
    if *first == b'*' {
        return (0..=name.len()).any(|at| fits(rest, &name[at..]));
    }
    let Some((byte, others)) = name.split_first() else { return false };
    match (first, class(rest)) {
        (b'?', _) => fits(rest, others),
        (b'[', Some((class, rest))) => is_of(class, *byte) && fits(rest, others),
        _ => first == byte && fits(rest, others),
    }
}

/// What stands in the brackets that a pattern has begun with, and what follows; a `]` may be the first.
fn class(pattern: &[u8]) -> Option<(&[u8], &[u8])> {
    let from = 1 + usize::from(pattern.first() == Some(&b'!'));
    let end = pattern.iter().skip(from).position(|byte| *byte == b']')? + from;
    Some((&pattern[..end], &pattern[end + 1..]))
}

fn is_of(class: &[u8], byte: u8) -> bool {
    let (wanted, mut members) = match class.split_first() {
        Some((b'!', rest)) => (false, rest),
        _ => (true, class),
    };
    while let [first, rest @ ..] = members {
        if let [b'-', last, rest @ ..] = rest {
            if (*first..=*last).contains(&byte) {
                return wanted;
            }
            members = rest;
        } else if *first == byte {
            return wanted;
        } else {
            members = rest;
        }
    }
    !wanted
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn patterns_are_those_of_shells() {
        let like = |pattern: &str, name: &str| fits(pattern.as_bytes(), name.as_bytes());
        for (pattern, name) in [
            ("red", "red"),
            ("*", ""),
            ("r*d", "rd"),
            ("r*d*", "red-dead"),
            ("h?", "h1"),
            ("h[1-3]", "h2"),
            ("h[!1-3]", "h4"),
            ("[]x]", "]"),
            ("h[13]", "h3"),
            ("h[", "h["),
            ("[a-]", "-"),
        ] {
            assert!(like(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("red", "red2"), ("r?d", "rd"), ("h[1-3]", "h4"), ("h[!1-3]", "h2"), ("", "x"), ("*x", "xy")]
        {
            assert!(!like(pattern, name), "{pattern} {name}");
        }
    }
}
