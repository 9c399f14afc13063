//! Why there is no usable configuration. Each message names the key or the variable.

use std::path::PathBuf;

use leptos_config::errors::LeptosConfigError;

/// Why there is no usable configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The leptos table cannot be used.
    #[error("the leptos table of {path}, or a LEPTOS_ variable: {source}")]
    Leptos {
        /// The file.
        path: PathBuf,
        /// The error of leptos.
        source: LeptosConfigError,
    },
    /// A key is unknown or its value is not of the right form.
    #[error("{0}")]
    Tables(#[from] config::ConfigError),
    /// A variable has the prefix of Podium and cannot be used.
    #[error("{name}: {problem}")]
    Variable {
        /// The variable.
        name: String,
        /// What to do about it.
        problem: String,
    },
    /// A value is of the right form and makes no sense.
    #[error("{key}: {problem}")]
    Value {
        /// The path of the key.
        key: &'static str,
        /// What to do about it.
        problem: String,
    },
}

impl ConfigError {
    /// The value of a key makes no sense, and what to do about it.
    pub(super) fn value(key: &'static str, problem: impl Into<String>) -> ConfigError {
        ConfigError::Value {
            key,
            problem: problem.into(),
        }
    }
}

/// Requires something of the value of a key.
///
/// # Errors
/// If it does not hold, with what to do about it.
pub(super) fn require(holds: bool, key: &'static str, problem: &str) -> Result<(), ConfigError> {
    if holds {
        Ok(())
    } else {
        Err(ConfigError::value(key, problem))
    }
}
