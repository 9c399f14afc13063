//! Text that fills an element and changes.

use std::{
    future::{Future, ready},
    sync::Arc,
};

use leptos::{
    prelude::{IntoAttributeValue, RenderEffect},
    tachys::{html::element::InnerHtmlValue, renderer::types::Element},
};

/// The whole text of an element: `inner_html=reactive_text(move || …)`. It is escaped.
///
/// A text in a `view!` is bound to its text node. When others replace that node, as page
/// translation does, later changes go to a node that is not in the document any more. This
/// one is bound to the element.
pub(crate) fn reactive_text(text: impl Fn() -> String + Send + Sync + 'static) -> ReactiveText {
    ReactiveText(Arc::new(text))
}

/// See [`reactive_text`].
#[derive(Clone)]
pub(crate) struct ReactiveText(Arc<dyn Fn() -> String + Send + Sync>);

impl ReactiveText {
    /// Writes the text into the element whenever it differs from the one `shown`.
    fn follow(self, element: &Element, shown: Option<String>) -> (Element, RenderEffect<String>) {
        let target = element.clone();
        let write = move |shown: Option<String>| {
            let text = (self.0)();
            if shown.as_ref() != Some(&text) {
                target.set_text_content(Some(&text));
            }
            text
        };
        (element.clone(), RenderEffect::new_with_value(write, shown))
    }
}

impl IntoAttributeValue for ReactiveText {
    type Output = Self;

    fn into_attribute_value(self) -> Self {
        self
    }
}

impl InnerHtmlValue for ReactiveText {
    type AsyncOutput = Self;
    type State = (Element, RenderEffect<String>);
    type Cloneable = Self;
    type CloneableOwned = Self;

    fn html_len(&self) -> usize {
        0
    }

    fn to_html(self, html: &mut String) {
        for character in (self.0)().chars() {
            match character {
                '&' => html.push_str("&amp;"),
                '<' => html.push_str("&lt;"),
                '>' => html.push_str("&gt;"),
                other => html.push(other),
            }
        }
    }

    fn to_template(_: &mut String) {}

    fn hydrate<const FROM_SERVER: bool>(self, element: &Element) -> Self::State {
        // A later state than the server's may have another text.
        let shown = element.text_content();
        self.follow(element, shown)
    }

    fn build(self, element: &Element) -> Self::State {
        self.follow(element, None)
    }

    fn rebuild(self, state: &mut Self::State) {
        let (element, effect) = state;
        let shown = effect.take_value();
        *state = self.follow(element, shown);
    }

    fn into_cloneable(self) -> Self::Cloneable {
        self
    }

    fn into_cloneable_owned(self) -> Self::CloneableOwned {
        self
    }

    fn dry_resolve(&mut self) {}

    fn resolve(self) -> impl Future<Output = Self::AsyncOutput> + Send {
        ready(self)
    }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use leptos::prelude::*;

    use super::reactive_text;

    #[test]
    fn a_text_is_escaped() {
        let text = reactive_text(|| "<b>1 & 2</b>".into());
        let html = view! { <p inner_html=text></p> }.to_html();
        assert_eq!(html, "<p>&lt;b&gt;1 &amp; 2&lt;/b&gt;</p>");
    }
}
