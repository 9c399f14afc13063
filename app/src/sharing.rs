//! What others show beside a link to the page: Open Graph, which Twitter and most others
//! read.

use leptos::{html, prelude::*};

/// A title, a description and a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sharing {
    /// What the board is called.
    pub title: String,
    /// How the board stands.
    pub description: String,
    /// The one address of the page, if it is known.
    pub url: Option<String>,
    /// The address of the picture.
    pub image: Option<String>,
    /// In pixels.
    pub image_width: u32,
    /// In pixels.
    pub image_height: u32,
}

/// The tags in the head.
#[component]
pub(crate) fn SharingTags(
    /// The content of the tags.
    sharing: Sharing,
) -> impl IntoView {
    let Sharing {
        title,
        description,
        url,
        image,
        image_width,
        image_height,
    } = sharing;
    let picture = image.map(|image| {
        view! {
            {property("og:image", image)}
            {property("og:image:type", "image/png".into())}
            {property("og:image:width", image_width.to_string())}
            {property("og:image:height", image_height.to_string())}
            {property("og:image:alt", description.clone())}
            <meta name="twitter:card" content="summary_large_image" />
        }
    });
    let address = url.map(|url| {
        view! {
            <link rel="canonical" href=url.clone() />
            {property("og:url", url)}
        }
    });
    view! {
        <meta name="description" content=description.clone() />
        {property("og:type", "website".into())}
        {property("og:title", title)}
        {property("og:description", description)}
        {address}
        {picture}
    }
}

/// A tag of Open Graph, whose attribute is none of HTML's.
fn property(name: &'static str, content: String) -> impl IntoView {
    html::meta().attr("property", name).attr("content", content)
}
