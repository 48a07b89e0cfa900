//! Ranges in names: `h[1-3]` is `h1`, `h2`, `h3`, and `h[01-20]` begins with `h01`.

/// The longest range. A network has room for fewer ports.
const MOST: usize = 4_096;

/// A part of a word with ranges.
enum Piece<'a> {
    Literal(&'a str),
    Range { first: u64, width: usize },
}

/// All words that one with ranges stands for. Several ranges run together, so they must be equally
/// long: `h[1-3]:to[4-6]` is three words, not nine.
pub(super) fn expand(text: &str) -> Result<Vec<String>, String> {
    let mut pieces = Vec::new();
    let mut length = None;
    let mut rest = text;
    while let Some(at) = rest.find(['[', ']']) {
        let (before, from) = rest.split_at(at);
        let inside = from.strip_prefix('[').ok_or("a ']' has no '[' before it")?;
        let (range, behind) = inside.split_once(']').ok_or("a '[' has no ']' behind it")?;
        let (first, width, count) = bounds(range)?;
        if length.replace(count).is_some_and(|other| other != count) {
            return Err("its ranges are not equally long".into());
        }
        pieces.extend([Piece::Literal(before), Piece::Range { first, width }]);
        rest = behind;
    }
    pieces.push(Piece::Literal(rest));
    Ok((0..length.unwrap_or(1)).map(|at| word(&pieces, at as u64)).collect())
}

fn word(pieces: &[Piece<'_>], at: u64) -> String {
    let text = |piece: &Piece<'_>| match piece {
        Piece::Literal(text) => (*text).to_owned(),
        Piece::Range { first, width } => format!("{:0width$}", first + at),
    };
    pieces.iter().map(text).collect()
}

/// The first number, how many digits it has at least, and how many numbers there are.
fn bounds(range: &str) -> Result<(u64, usize, usize), String> {
    let wrong = || format!("'[{}]' is no range such as '[1-20]'", crate::name::escaped(range.as_bytes()));
    let (first, last) = range.split_once('-').ok_or_else(wrong)?;
    let number = |digits: &str| {
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit()) && digits.len() <= 9;
        plain.then(|| digits.parse::<u64>().ok()).flatten().ok_or_else(wrong)
    };
    let (low, high) = (number(first)?, number(last)?);
    let padded = [first, last].iter().any(|digits| digits.len() > 1 && digits.starts_with('0'));
    if padded && first.len() != last.len() {
        return Err(format!("'[{range}]' begins with a zero, so both of its ends need as many digits"));
    }
    let count = high.checked_sub(low).ok_or_else(|| format!("'[{range}]' runs backwards"))? + 1;
    let count = usize::try_from(count).ok().filter(|count| *count <= MOST);
    let count = count.ok_or_else(|| format!("'[{range}]' is longer than {MOST}"))?;
    Ok((low, if padded { first.len() } else { 0 }, count))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_range_stands_for_all_its_words() {
        assert_eq!(expand("r1").unwrap(), ["r1"]);
        assert_eq!(expand("h[1-3]").unwrap(), ["h1", "h2", "h3"]);
        assert_eq!(expand("h[9-11]").unwrap(), ["h9", "h10", "h11"]);
        assert_eq!(expand("h[08-11]x").unwrap(), ["h08x", "h09x", "h10x", "h11x"]);
        assert_eq!(expand("h[0-1]:p[7-8]=10.0.0.[1-2]/24").unwrap(), ["h0:p7=10.0.0.1/24", "h1:p8=10.0.0.2/24"]);
        assert_eq!(expand("h[5-5]").unwrap(), ["h5"]);
    }

    #[test]
    fn what_is_no_range_is_refused_with_the_reason() {
        for (bad, reason) in [
            ("h[1-3", "no ']'"),
            ("h1-3]", "no '['"),
            ("h[1]", "no range"),
            ("h[]", "no range"),
            ("h[a-b]", "no range"),
            ("h[-1-3]", "no range"),
            ("h[[1-3]]", "no range"),
            ("h[3-1]", "backwards"),
            ("h[08-100]", "digits"),
            ("h[1-3]x[1-4]", "equally long"),
            ("h[0-4096]", "longer"),
            ("h[1-99999999999999999999]", "no range"),
        ] {
            let error = expand(bad).unwrap_err();
            assert!(error.contains(reason), "{bad}: {error}");
        }
    }

    proptest! {
        #[test]
        fn a_range_has_as_many_different_words_as_numbers(low in 0_u64..10_000, more in 0_u64..300, padded: bool) {
            let high = low + more;
            let text = if padded { format!("h[{low:05}-{high:05}]") } else { format!("h[{low}-{high}]") };
            let words = expand(&text).unwrap();
            prop_assert_eq!(words.len() as u64, more + 1);
            for (at, word) in words.iter().enumerate() {
                prop_assert_eq!(word[1..].parse::<u64>().unwrap(), low + at as u64);
                prop_assert!(!padded || word.len() == 6);
            }
        }

        #[test]
        fn any_text_is_expanded_or_refused(text in crate::arbitrary::text()) {
            if let Ok(words) = expand(&text) {
                prop_assert!(!words.is_empty());
            }
        }
    }
}
