//! The Podium page.
