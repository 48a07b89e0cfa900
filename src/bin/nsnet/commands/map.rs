//! `map`: every namespace that can be found, and every link between them.

use std::collections::BTreeSet;

use nsnet::{
    Error, ErrorKind, Netns,
    inspect::{Map, Mapper},
    netns::{NetnsId, Watch},
};

use super::{Context, Failure};
use crate::{
    args,
    render::{Answer, MapForm},
};

pub fn map(args: &args::Map, context: &mut Context<'_>) -> Result<Answer, Failure> {
    let wanted = args.namespaces.iter().map(|ns| Netns::open(ns).map(|ns| ns.id()));
    let wanted = wanted.collect::<Result<BTreeSet<_>, Error>>()?;
    if args.watch {
        return watch(wanted);
    }
    let map = everything(context)?;
    Ok(Answer::Map { map: part(map, &wanted), form: form(&args.picture) })
}

/// All that can be seen; says what cannot.
pub fn everything(context: &mut Context<'_>) -> Result<Map, Failure> {
    let map = match Mapper::new().and_then(|mut mapper| mapper.map()) {
        Err(e) if e.kind() == ErrorKind::Denied => {
            context.warn(format!("only a part is seen: {e}"));
            Map::of_the_unprivileged()?
        }
        map => map?,
    };
    if map.unreadable > 0 {
        context.warn(format!(
            "processes that may not be looked at, and whose namespaces may be missing: {}",
            map.unreadable
        ));
    }
    Ok(map)
}

/// What to draw.
pub fn form(picture: &args::Picture) -> MapForm {
    match &picture.svg {
        Some(file) => MapForm::Svg(Some(file.into()).filter(|_| file != "-")),
        None if picture.dot => MapForm::Dot,
        None if picture.mermaid => MapForm::Mermaid,
        None => MapForm::Tree,
    }
}

fn part(map: Map, wanted: &BTreeSet<NetnsId>) -> Map {
    if wanted.is_empty() { map } else { map.around(wanted) }
}

fn watch(wanted: BTreeSet<NetnsId>) -> Result<Answer, Failure> {
    let mut names = Watch::start()?;
    let mut mapper = Mapper::new()?;
    let mut first = true;
    let maps = std::iter::from_fn(move || {
        let outdated = if std::mem::take(&mut first) { Ok(()) } else { mapper.wait(&mut names) };
        Some(outdated.and_then(|()| mapper.map()).map(|map| part(map, &wanted)))
    });
    Ok(Answer::Maps(Box::new(maps)))
}
