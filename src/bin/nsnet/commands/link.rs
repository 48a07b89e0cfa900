//! `link`: links made, changed, deleted and shown.

use nsnet::NsRef;

use super::{Context, Failure, link_show};
use crate::{render::Answer, words::link::Request};

pub fn link(request: &Request, place: Option<NsRef>, context: &mut Context<'_>) -> Result<Answer, Failure> {
    match request {
        Request::Show(filter) => link_show::show(filter, place, context),
    }
}
