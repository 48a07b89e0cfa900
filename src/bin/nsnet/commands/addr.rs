//! `addr`: addresses made, changed, deleted and shown.

use std::{collections::BTreeMap, fmt::Write as _, rc::Rc};

use nsnet::{Addr, Change, NsRef, Prefix, netlink::addr::AddrFlags};

use super::{Context, Failure, link_show, session::Place};
use crate::{
    render::{AddrRow, Answer, Head},
    words::addr::{Filter, Request, Wanted},
};

pub fn addr(request: Request, place: Option<NsRef>, context: &mut Context<'_>) -> Result<Answer, Failure> {
    let reads = matches!(request, Request::Show(_) | Request::Flush(_));
    let place = if reads { context.connect(place)? } else { context.connect_to_change(place)? };
    match request {
        Request::Show(filter) => show(&filter, &place, context),
        Request::Flush(filter) => flush(&filter, &place, context),
        Request::Add(wanted) => apply(wanted, Addr::add, &place, context),
        Request::Replace(wanted) => apply(wanted, Addr::replace, &place, context),
        Request::Change(wanted) => apply(wanted, Addr::change, &place, context),
        Request::Delete(wanted)
            if wanted.any_length && wanted.addr.family() == nsnet::Family::Inet && wanted.addr.peer.is_none() =>
        {
            context.warn(format!(
                "deleting the first '{ip}' whatever the length of its prefix; '{ip}/32' would be one of this length only",
                ip = wanted.addr.local
            ));
            apply(wanted, Addr::delete_of_any_length, &place, context)
        }
        Request::Delete(wanted) => apply(wanted, Addr::delete, &place, context),
    }
}

fn apply(
    wanted: Wanted,
    change: fn(&Addr) -> Change,
    place: &Rc<Place>,
    context: &mut Context<'_>,
) -> Result<Answer, Failure> {
    let Wanted { mut addr, device, ignored, .. } = wanted;
    for text in ignored {
        context.warn(text);
    }
    addr.link_index = context.session.block_on(async { Ok(place.index_of(&device).await?) })?;
    context.session.apply(place, change(&addr).on(&device)).map(|()| Answer::Nothing)
}

fn show(filter: &Filter, place: &Place, context: &mut Context<'_>) -> Result<Answer, Failure> {
    let counted = context.globals.statistics > 0;
    let (rows, mut addrs) = context.session.block_on(async {
        let rows = link_show::rows(place, &filter.link, counted).await?;
        Ok((rows, by_link(place.netlink.addrs().await?)))
    })?;
    let head = match (&filter.label, filter.family) {
        (Some(_), _) => Head::None,
        (None, Some(_)) => Head::Short,
        (None, None) => Head::Full,
    };
    let mut shown = Vec::with_capacity(rows.len());
    for row in rows {
        let mut addrs = addrs.remove(&row.link.index).unwrap_or_default();
        // A link without any address is shown unless a family is asked for.
        let bare = addrs.is_empty() && filter.family.is_none();
        addrs.retain(|addr| fits(addr, &row.link.name, filter));
        if bare || !addrs.is_empty() {
            shown.push(AddrRow { row, addrs, head });
        }
    }
    Ok(Answer::Addrs(shown))
}

fn by_link(addrs: Vec<Addr>) -> BTreeMap<u32, Vec<Addr>> {
    let mut of: BTreeMap<u32, Vec<Addr>> = BTreeMap::new();
    for addr in addrs {
        of.entry(addr.link_index).or_default().push(addr);
    }
    of
}

/// Whether an address is one of those that are wanted, whatever its link.
fn fits(addr: &Addr, link_name: &str, filter: &Filter) -> bool {
    let label = addr.label.as_deref().unwrap_or(link_name);
    filter.family.is_none_or(|family| family == addr.family())
        && filter.to.is_none_or(|prefix| prefix.contains(Prefix::host(addr.local)))
        && filter.scope.is_none_or(|scope| scope == addr.scope)
        && addr.flags.contains(filter.with)
        && !addr.flags.intersects(filter.without)
        && filter.label.as_ref().is_none_or(|pattern| matches(pattern.as_bytes(), label.as_bytes()))
}

/// A pattern of a shell: `*` is any text, `?` any byte, `[a-z]` one of these and `[!a-z]` one that is not.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], _) => text.is_empty(),
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|at| matches(rest, &text[at..])),
        ([b'?', rest @ ..], [_, text @ ..]) => matches(rest, text),
        ([b'[', set @ ..], [first, tail @ ..]) => match one_of(set, *first) {
            Some((found, rest)) => found && matches(rest, tail),
            None => *first == b'[' && matches(set, tail),
        },
        ([b'\\', own, rest @ ..] | [own, rest @ ..], [first, text @ ..]) => own == first && matches(rest, text),
        (_, []) => false,
    }
}

/// Whether a byte is in a set, and what comes behind it; none where it does not end.
fn one_of(set: &[u8], byte: u8) -> Option<(bool, &[u8])> {
    let (negated, mut set) = match set {
        [b'!' | b'^', rest @ ..] => (true, rest),
        _ => (false, set),
    };
    let (mut found, mut first) = (false, true);
    loop {
        set = match set {
            [] => return None,
            [b']', rest @ ..] if !first => return Some((found != negated, rest)),
            [from, b'-', to, rest @ ..] if *to != b']' => {
                found |= (*from..=*to).contains(&byte);
                rest
            }
            [own, rest @ ..] => {
                found |= *own == byte;
                rest
            }
        };
        first = false;
    }
}

fn flush(filter: &Filter, place: &Place, context: &mut Context<'_>) -> Result<Answer, Failure> {
    let rounds = context.session.block_on(async {
        let links = link_show::links(&place.netlink, &filter.link, false).await?;
        let names: BTreeMap<u32, String> = links.into_iter().map(|link| (link.index, link.name)).collect();
        let unwanted = |addr: &Addr| names.get(&addr.link_index).is_some_and(|name| fits(addr, name, filter));
        // Secondary addresses become primary ones when these are gone.
        let once = filter.without.contains(AddrFlags::SECONDARY);
        Ok(place.netlink.flush_addrs(once, unwanted).await?)
    })?;
    if context.globals.statistics == 0 || context.globals.json {
        return Ok(Answer::Nothing);
    }
    Ok(Answer::Text(told(&rounds)))
}

fn told(rounds: &[usize]) -> String {
    let mut text = String::new();
    for (at, count) in rounds.iter().enumerate() {
        // A String takes everything.
        let _ = write!(text, "\n*** Round {}, deleting {count} addresses ***\n", at + 1);
    }
    let _ = match rounds.len() {
        0 => writeln!(text, "Nothing to flush."),
        1 => writeln!(text, "*** Flush is complete after 1 round ***"),
        many => writeln!(text, "*** Flush is complete after {many} rounds ***"),
    };
    text
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_pattern_is_that_of_a_shell() {
        for (pattern, text, fits) in [
            ("eth0", "eth0", true),
            ("eth0", "eth00", false),
            ("eth*", "eth0:1", true),
            ("*:1", "eth0:1", true),
            ("*:1", "eth0:12", false),
            ("e?h[0-3]", "eth2", true),
            ("e?h[0-3]", "eth4", false),
            ("eth[!0-3]", "eth4", true),
            ("eth[]]", "eth]", true),
            ("eth[", "eth[", true),
            (r"\*", "*", true),
            (r"\*", "x", false),
            ("", "", true),
            ("?", "", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), fits, "{pattern} {text}");
        }
    }
}
