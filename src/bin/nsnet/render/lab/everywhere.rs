//! What a command says in all nodes at once, as it comes.

use std::io::{self, Write};

use nsnet::name::escaped;
use serde::Serialize;

use super::{
    super::{Format, Style, json},
    NodeSays,
};

#[derive(Serialize)]
struct Said<'a> {
    node: &'a str,
    stream: &'static str,
    line: &'a str,
}

#[derive(Serialize)]
struct End<'a> {
    node: &'a str,
    code: u8,
}

/// Writes each line with its node before it; returns the exit code.
pub fn write(
    out: &mut impl Write,
    format: Format,
    style: Style,
    says: impl Iterator<Item = NodeSays>,
) -> io::Result<u8> {
    let mut failed = false;
    for said in says {
        match said {
            NodeSays::Line { node, line, is_err } if format.json => {
                let stream = if is_err { "stderr" } else { "stdout" };
                let line = &String::from_utf8_lossy(&line);
                json::one(out, false, &Said { node: node.as_str(), stream, line })?;
            }
            NodeSays::Line { node, line, .. } => {
                write!(out, "{} ", style.bold(&format!("{}:", node.as_str())))?;
                if style.escape {
                    // A terminal acts on what it gets, and lines of several would act on each other.
                    out.write_all(escaped(&line).as_bytes())?;
                } else {
                    out.write_all(&line)?;
                }
                out.write_all(b"\n")?;
            }
            NodeSays::Interrupted(signal) => return Ok(128 + signal),
            NodeSays::Ended { node, code } => {
                let code = code?;
                failed |= code != 0;
                if format.json {
                    json::one(out, false, &End { node: node.as_str(), code })?;
                } else if code != 0 {
                    writeln!(out, "{} exit {code}", style.bold(&format!("{}:", node.as_str())))?;
                }
            }
        }
        out.flush()?;
    }
    Ok(u8::from(failed))
}
