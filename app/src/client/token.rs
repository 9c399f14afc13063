//! Requests a new token, and with it who is signed in.

use std::rc::Rc;

use js_sys::Math;

use super::{
    Client,
    http::{self, Cache, Response},
};
use crate::{
    decode::Decode,
    wire::{PageToken, View},
};

impl Client {
    /// Requests another token.
    pub(super) fn renew_token(self: &Rc<Self>) {
        let settings = self.state.settings;
        // In a frame nobody is signed in.
        let path = match settings.view {
            View::Embed => "/page/token?view=embed",
            View::Whole | View::Kiosk => "/page/token",
        };
        let client = self.clone();
        let then = Box::new(move |response: Response| {
            let token = PageToken::decode(&response.body).map(|page| {
                client.token.replace(page.token);
                client.state.sign_in(page.you);
                (client.state.you.id(), page.expires_in)
            });
            let now = client.now();
            client
                .session
                .borrow_mut()
                .renewed(token, now, Math::random());
            client.run();
        });
        let path = settings.board_link(path);
        let token = self.token.borrow();
        http::get(&path, Some(&token), Cache::Bypass, http::TIMEOUT, then);
    }
}
