//! The metrics of a running server, in the text format of Prometheus.
//!
//! The part in which something happens counts it here. Nothing is global: each part is
//! handed the [`Metrics`].

mod boards;

use std::{
    fmt::{self, Write},
    sync::Arc,
};

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder, prometheus_text},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::store::{Outcome, StoreError};
pub use boards::BoardMeasures;
use boards::Boards;

/// The type of what [`Metrics::text`] gives.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The measures of one server. Clones are the same.
#[derive(Clone)]
pub struct Metrics {
    /// Sockets that are connected here.
    pub sockets: Gauge,
    /// Sockets whose clients do not keep up, and that get nothing until they do.
    pub slow_sockets: Gauge,
    /// How many sockets were closed because their clients took nothing.
    pub slow_closed: Counter,
    /// Users who are connected here, by however many sockets.
    pub users_online: Gauge,
    /// Nodes that have the same store.
    pub nodes: Gauge,
    /// Sockets that are connected to any of them.
    pub all_sockets: Gauge,
    /// Users who are connected to any of them; whoever is to two counts twice.
    pub all_users_online: Gauge,
    /// 1 while the store takes commands, and else 0.
    pub store_open: Gauge,
    /// How often the store could not be reached any more.
    pub store_outages: Counter,
    /// How often all boards were replaced, because the log was another.
    pub store_reloads: Counter,
    actions: Family<ActionLabels, Counter>,
    refused: Family<RefusedLabels, Counter>,
    boards: Boards,
    registry: Arc<Registry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ActionLabels {
    outcome: ActionOutcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusedLabels {
    reason: &'static str,
}

/// What became of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum ActionOutcome {
    Accepted,
    /// It had been accepted before.
    Duplicate,
    Refused,
    /// The store could not say.
    Failed,
}

impl ActionOutcome {
    const ALL: [ActionOutcome; 4] = [
        ActionOutcome::Accepted,
        ActionOutcome::Duplicate,
        ActionOutcome::Refused,
        ActionOutcome::Failed,
    ];
}

impl EncodeLabelValue for ActionOutcome {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        encoder.write_str(match self {
            ActionOutcome::Accepted => "accepted",
            ActionOutcome::Duplicate => "duplicate",
            ActionOutcome::Refused => "refused",
            ActionOutcome::Failed => "failed",
        })
    }
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut registry = Registry::with_prefix("podium");
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let sockets = gauge("sockets", "Sockets that are connected to this node");
        let slow_sockets = gauge("slow_sockets", "Sockets whose clients do not keep up");
        let users_online = gauge("users_online", "Users who are connected to this node");
        let nodes = gauge("nodes", "Nodes that have the same store");
        let all_sockets = gauge("all_sockets", "Sockets that are connected to any node");
        let all_users_online = gauge("all_users_online", "Users online, summed over all nodes");
        let store_open = gauge("store_open", "1 while the store takes commands, else 0");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let slow_closed = counter("slow_closed", "Sockets closed because nothing was taken");
        let store_outages = counter("store_outages", "Times that the store was out of reach");
        let store_reloads = counter("store_reloads", "Times that the boards were loaded anew");
        let actions = Family::default();
        for outcome in ActionOutcome::ALL {
            // From the first reading on, so that the first of each is seen.
            drop(actions.get_or_create(&ActionLabels { outcome }));
        }
        let help = "Actions that were sent to this node, by what became of them";
        registry.register("actions", help, actions.clone());
        let refused = Family::default();
        let help = "What clients asked for beyond a limit, by which one";
        registry.register("refused", help, refused.clone());
        let boards = Boards::default();
        registry.register_collector(Box::new(boards.clone()));
        Metrics {
            sockets,
            slow_sockets,
            slow_closed,
            users_online,
            nodes,
            all_sockets,
            all_users_online,
            store_open,
            store_outages,
            store_reloads,
            actions,
            refused,
            boards,
            registry: Arc::new(registry),
        }
    }
}

impl Metrics {
    /// Counts commands that were answered, of which those were actions that
    /// `is_action` says.
    pub fn count_actions(&self, is_action: &[bool], answer: &Result<Vec<Outcome>, StoreError>) {
        let actions = is_action.iter().enumerate().filter(|(_, is)| **is);
        for (at, _) in actions {
            let outcome = match answer.as_ref().map(|outcomes| outcomes.get(at)) {
                Ok(Some(Ok(receipt))) if receipt.duplicate => ActionOutcome::Duplicate,
                Ok(Some(Ok(_))) => ActionOutcome::Accepted,
                Ok(Some(Err(_))) => ActionOutcome::Refused,
                Ok(None) | Err(_) => ActionOutcome::Failed,
            };
            self.actions.get_or_create(&ActionLabels { outcome }).inc();
        }
    }

    /// Counts no refusal yet for each of these reasons.
    pub fn declare_refusals(&self, reasons: impl IntoIterator<Item = &'static str>) {
        for reason in reasons {
            drop(self.refused.get_or_create(&RefusedLabels { reason }));
        }
    }

    /// Counts a refusal, by the limit that was exceeded.
    pub fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&RefusedLabels { reason }).inc();
    }

    /// Says how the boards are now.
    pub fn set_boards(&self, measures: BoardMeasures) {
        self.boards.set(measures);
    }

    /// All measures, as they are now.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a text cannot fail.
        _ = prometheus_text::encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Receipt, Refusal};

    #[test]
    fn what_was_counted_is_told() {
        let metrics = Metrics::default();
        let receipt = |duplicate| Receipt {
            seq: 1,
            scores: None,
            rank: None,
            old_rank: None,
            duplicate,
        };
        let answers = Ok(vec![
            Ok(receipt(false)),
            Ok(receipt(true)),
            Err(Refusal::UnknownUser),
            Ok(receipt(false)),
        ]);
        metrics.count_actions(&[true, true, true, false], &answers);
        metrics.count_actions(&[true, false, true], &Err(StoreError::Closed));
        metrics.declare_refusals(["packets", "bytes", "history", "search"]);
        metrics.refused("packets");
        metrics.sockets.set(7);
        metrics.clone().store_reloads.inc();
        metrics.refused("history");
        let text = metrics.text();
        let lines: Vec<&str> = text.lines().collect();
        for line in [
            "# TYPE podium_actions_total counter",
            "podium_actions_total{outcome=\"accepted\"} 1",
            "podium_actions_total{outcome=\"duplicate\"} 1",
            "podium_actions_total{outcome=\"refused\"} 1",
            "podium_actions_total{outcome=\"failed\"} 2",
            "# TYPE podium_refused_total counter",
            "podium_refused_total{reason=\"packets\"} 1",
            "podium_refused_total{reason=\"bytes\"} 0",
            "# TYPE podium_sockets gauge",
            "podium_sockets 7",
            "podium_store_reloads_total 1",
            "podium_refused_total{reason=\"history\"} 1",
            "podium_refused_total{reason=\"search\"} 0",
            "podium_store_outages_total 0",
        ] {
            assert!(lines.contains(&line), "{line} in {text}");
        }
    }
}
