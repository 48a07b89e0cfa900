//! What came of checks: a table, JSON, or the XML that `JUnit` made common.

use std::{
    fmt::Write as _,
    io::{self, Write},
    time::Duration,
};

use nsnet::{
    LabName,
    lab::{Place, Probe, Tested, Verdict, word_of},
    name::escaped,
};
use serde::Serialize;

use super::super::{Format, Style, json};

/// 2 where one could not be tried, else 1 where one does not hold.
pub fn code(tested: &[Tested]) -> u8 {
    let each = tested.iter().map(|tested| match tested.verdict {
        Verdict::Fails(_) => 1,
        Verdict::Unknown(_) => 2,
        _ => 0,
    });
    each.max().unwrap_or(0)
}

#[derive(Serialize)]
struct TestedRow<'a> {
    name: &'a str,
    from: &'a Place,
    probe: &'a Probe,
    reachable: bool,
    within_ms: u128,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
    took_ms: u128,
}

impl<'a> TestedRow<'a> {
    fn of(tested: &'a Tested) -> Self {
        let (check, (verdict, why)) = (&tested.check, words(&tested.verdict));
        Self {
            name: &check.name,
            from: &check.from,
            probe: &check.probe,
            reachable: check.reachable,
            within_ms: check.within.as_millis(),
            verdict,
            why,
            took_ms: tested.took.as_millis(),
        }
    }
}

fn words(verdict: &Verdict) -> (&'static str, Option<&str>) {
    match verdict {
        Verdict::Fails(why) => ("fails", Some(why)),
        Verdict::Unknown(why) => ("unknown", Some(why)),
        _ => ("holds", None),
    }
}

/// A line for each, and one for all.
pub fn write(out: &mut impl Write, format: Format, style: Style, lab: &LabName, tested: &[Tested]) -> io::Result<()> {
    if format.json {
        return json::document(out, format.pretty, &tested.iter().map(TestedRow::of).collect::<Vec<_>>());
    }
    let names: Vec<String> = tested.iter().map(|tested| escaped(tested.check.name.as_bytes())).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
    for (tested, name) in tested.iter().zip(&names) {
        let (word, why) = words(&tested.verdict);
        let shown = format!("{word:<7}");
        let shown = if why.is_some() { style.red(&shown) } else { style.green(&shown) };
        let why = why.map_or_else(String::new, |why| format!("  {why}"));
        writeln!(out, "{shown}  {name:<width$}  {:>9}{why}", milliseconds(tested.took))?;
    }
    writeln!(out, "{}: {}", lab.as_str(), summary(tested))
}

fn milliseconds(took: Duration) -> String {
    format!("{} ms", took.as_millis())
}

/// `3 checks hold`, or `1 of 3 checks does not hold`.
fn summary(tested: &[Tested]) -> String {
    let count = |word: &str| tested.iter().filter(|tested| words(&tested.verdict).0 == word).count();
    let mut text = match (count("fails"), count("holds")) {
        (0, 1) => format!("1 of {} checks holds", tested.len()),
        (0, holds) => format!("{holds} of {} checks hold", tested.len()),
        (1, _) => format!("1 of {} checks does not hold", tested.len()),
        (fails, _) => format!("{fails} of {} checks do not hold", tested.len()),
    };
    if count("unknown") > 0 {
        // Writing into a string cannot fail.
        let _ = write!(text, ", {} could not be tried", count("unknown"));
    }
    text
}

/// As services that run tests read it.
pub fn junit(lab: &LabName, tested: &[Tested]) -> String {
    let count = |word: &str| tested.iter().filter(|tested| words(&tested.verdict).0 == word).count();
    let longest = tested.iter().map(|tested| tested.took).max().unwrap_or_default();
    let cases: String = tested.iter().map(|tested| case(lab, tested)).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" \
         errors=\"{}\" time=\"{:.3}\">\n{cases}  </testsuite>\n</testsuites>\n",
        xml(lab.as_str()),
        tested.len(),
        count("fails"),
        count("unknown"),
        longest.as_secs_f64(),
    )
}

fn case(lab: &LabName, tested: &Tested) -> String {
    let class = format!("{}.{}", lab.as_str(), word_of(&tested.check.from));
    let head = format!(
        "    <testcase classname=\"{}\" name=\"{}\" time=\"{:.3}\"",
        xml(&class),
        xml(&tested.check.name),
        tested.took.as_secs_f64()
    );
    match &tested.verdict {
        Verdict::Fails(why) => format!("{head}>\n      <failure message=\"{}\"/>\n    </testcase>\n", xml(why)),
        Verdict::Unknown(why) => format!("{head}>\n      <error message=\"{}\"/>\n    </testcase>\n", xml(why)),
        _ => format!("{head}/>\n"),
    }
}

/// In an attribute; what XML has no place for is shown as elsewhere.
fn xml(text: &str) -> String {
    crate::render::xml::text(text, |c| escaped(c.encode_utf8(&mut [0; 4]).as_bytes()))
}
