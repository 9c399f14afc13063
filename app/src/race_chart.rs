//! The race chart, which the server renders beside the live page. It shows the lines of
//! players who are on the board: a player who is deleted, or hidden, must leave both.

use leptos::prelude::*;

use crate::state::PageState;

/// Follows the rows of the board for as long as the page is open.
pub(crate) fn follow(state: PageState) {
    let rows = state.board.shown().rows;
    Effect::new(move |_| {
        rows.with(|rows| {
            let legends = document().get_elements_by_class_name("legend");
            let Some(lines) = legends.item(0).map(|legend| legend.children()) else {
                return;
            };
            for i in 0..lines.length() {
                let line = lines.item(i);
                let user_id = line.and_then(|line| line.get_attribute("data-user-id"));
                let is_gone = rows
                    .iter()
                    .all(|row| Some(&row.user_id) != user_id.as_ref());
                show(i, !is_gone);
            }
        });
    });
}

/// Shows or hides what belongs to a line: the line itself, its name, its numbers.
fn show(line: u32, is_shown: bool) {
    let parts = document().get_elements_by_class_name(&format!("line-{line}"));
    for part in (0..parts.length()).filter_map(|i| parts.item(i)) {
        // It fails for no name that is valid, as this one is.
        _ = part.toggle_attribute_with_force("hidden", !is_shown);
    }
}
