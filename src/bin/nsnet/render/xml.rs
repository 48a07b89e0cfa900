//! Text that goes into XML: pictures, and reports of checks.

/// Without what means something to XML or may not stand in it; `control` says what a control character is shown as.
pub fn text(text: &str, control: impl Fn(char) -> String) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            c if c.is_control() => safe.push_str(&control(c)),
            c => safe.push(c),
        }
    }
    safe
}
