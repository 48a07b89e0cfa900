//! `set` and `list-id`: ids of namespaces.

use nsnet::{Netns, netns};

use super::{Context, Failure};
use crate::{
    args::{ListId, Set, WhichIds},
    render::Answer,
};

pub fn set(args: &Set, context: &Context<'_>) -> Result<Answer, Failure> {
    netns::set_nsid(&context.place()?, &Netns::open(&args.ns)?, args.id)?;
    Ok(Answer::Nothing)
}

pub fn list_id(args: &ListId, context: &Context<'_>) -> Result<Answer, Failure> {
    let WhichIds { target, only } = args.which().map_err(Failure::Usage)?;
    let viewer = context.place()?;
    let peers = match only {
        Some(id) => vec![netns::nsid_peer(&viewer, id, target)?],
        None => netns::nsid_peers(&viewer, target)?,
    };
    Ok(Answer::Ids { peers, of_target: target.is_some() })
}
