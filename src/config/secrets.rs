//! The keys that sign tokens and tickets.

use std::fmt;

use super::{ConfigError, strength, variables::variable};
use crate::board::UserId;

/// The variables that hold secrets.
const JWT_SECRET: &str = "JWT_SECRET";
const TICKET_SECRET: &str = "TICKET_SECRET";

/// The weakest secret that is accepted, in bits: the security strength of HS256 that NIST
/// SP 800-57, part 1, asks for beyond 2030.
const MIN_BITS: f64 = 128.0;

/// A value that is never printed.
#[derive(Clone)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The secrets that were configured. They are checked when they are used, because not
/// every command needs them.
#[derive(Clone, Debug)]
pub struct Secrets {
    /// The key that signs tokens, if there is one.
    jwt: Option<Secret>,
    /// The key that signs tickets, if it is another one.
    ticket: Option<Secret>,
}

impl Secrets {
    /// Reads the variables.
    ///
    /// # Errors
    /// If a file that one of them names cannot be read.
    pub(super) fn read() -> Result<Secrets, ConfigError> {
        Ok(Secrets {
            jwt: variable(JWT_SECRET)?.map(Secret),
            ticket: variable(TICKET_SECRET)?.map(Secret),
        })
    }

    /// The secret that signs tokens.
    ///
    /// # Errors
    /// If there is none, or it could be guessed.
    pub fn jwt(&self) -> Result<&Secret, ConfigError> {
        let secret = self.jwt.as_ref().ok_or_else(|| {
            let advice = advice(JWT_SECRET);
            let problem = format!("is not set: {advice}; or try `podium serve --demo`");
            ConfigError::value(JWT_SECRET, problem)
        })?;
        strong(JWT_SECRET, secret)
    }

    /// The secret that signs tickets: its own, or the one that signs tokens.
    ///
    /// # Errors
    /// If there is none, or it could be guessed.
    pub fn ticket(&self) -> Result<&Secret, ConfigError> {
        match &self.ticket {
            Some(secret) => strong(TICKET_SECRET, secret),
            None => self.jwt(),
        }
    }

    /// Signs tokens with a random secret if none is set.
    pub fn or_random(&mut self) {
        self.jwt.get_or_insert_with(|| {
            let random: [u8; 32] = rand::random();
            Secret(random.iter().map(|byte| format!("{byte:02x}")).collect())
        });
    }
}

fn strong<'a>(key: &'static str, secret: &'a Secret) -> Result<&'a Secret, ConfigError> {
    let weak = |problem: &str| {
        let problem = format!("{problem}, which is too weak: {}", advice(key));
        Err(ConfigError::value(key, problem))
    };
    // At most 122 bits of it are random (RFC 9562, section 5.4).
    if secret.0.parse::<UserId>().is_ok() {
        return weak("is a UUID");
    }
    let bits = strength::bits(&secret.0);
    if bits < MIN_BITS {
        return weak(&format!("has about {bits:.0} bits of {MIN_BITS}"));
    }
    Ok(secret)
}

fn advice(key: &str) -> String {
    format!("set it to 32 random bytes, for example {key}=$(openssl rand -hex 32)")
}
