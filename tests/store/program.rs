//! The program finds its store in Redis by what it is configured with.

use std::{
    fs,
    path::Path,
    process::{Command as Process, Output},
};

use tempfile::TempDir;

use crate::server::{Server, free_port};

/// A folder with a file to import: one user and one action.
fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let lines = r#"{"userId": "018f0000-0000-7000-8000-000000000001", "username": "Ada"}
        {"actionId": "a", "userId": "018f0000-0000-7000-8000-000000000001", "actionType": "quiz", "scoreIncrease": 5}"#;
    fs::write(folder.path().join("lines.ndjson"), lines).unwrap();
    folder
}

/// The program in a folder, with no other variables than these.
fn run(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut podium = Process::new(env!("CARGO_BIN_EXE_podium"));
    podium.args(arguments).current_dir(folder);
    podium.env_clear().envs(variables.iter().copied());
    podium.output().unwrap()
}

fn import(folder: &Path, variables: &[(&str, &str)]) -> Output {
    run(folder, &["import", "lines.ndjson"], variables)
}

#[track_caller]
fn assert_imported(output: &Output) {
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{output:?}");
    assert!(said.contains("2 lines imported"), "{said}");
}

#[track_caller]
fn assert_fails(output: &Output, why: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{output:?}");
    assert!(said.contains(why), "{said}");
    assert!(!said.contains("secret"), "{said}");
}

fn entries(server: &Server) -> u64 {
    server.ask(&["XLEN", "podium:{main}:log"])
}

#[test]
fn redis_url_chooses_redis() {
    let (folder, server) = (folder(), Server::new());
    assert_imported(&import(folder.path(), &[("REDIS_URL", &server.url())]));
    // The first says what `main` is.
    assert_eq!(entries(&server), 3);
    assert!(!folder.path().join("podium.db").exists());
}

#[test]
fn redis_url_may_be_in_a_file() {
    let (folder, server) = (folder(), Server::new());
    fs::write(folder.path().join("url"), format!("{}\n", server.url())).unwrap();
    assert_imported(&import(folder.path(), &[("REDIS_URL_FILE", "url")]));
    // The first says what `main` is.
    assert_eq!(entries(&server), 3);
}

#[test]
fn the_key_of_the_store_goes_before_redis_url() {
    let (folder, server, other) = (folder(), Server::new(), Server::new());
    let variables = [
        ("REDIS_URL", &*other.url()),
        ("PODIUM_STORE__URL", &*server.url()),
        ("PODIUM_STORE__REMEMBER_ACTIONS", "1h"),
        ("PODIUM_AUTH__TICKET_MAX_TTL", "30m"),
    ];
    assert_imported(&import(folder.path(), &variables));
    assert_eq!((entries(&server), entries(&other)), (3, 0));
    let remembered: i64 = server.ask(&["PTTL", "podium:{main}:action:a"]);
    assert!(
        (3_500_000..=3_600_000).contains(&remembered),
        "{remembered}"
    );
    let variables = [
        ("REDIS_URL", &*other.url()),
        ("PODIUM_STORE__URL", "sqlite:board.db"),
    ];
    assert_imported(&import(folder.path(), &variables));
    assert_eq!(entries(&other), 0);
    assert!(folder.path().join("board.db").exists());
}

#[test]
fn what_is_no_address_is_refused_and_not_shown() {
    let folder = folder();
    for url in ["http://:secret@127.0.0.1", "sqlite:secret.db", "secret"] {
        let output = import(folder.path(), &[("REDIS_URL", url)]);
        assert_fails(&output, "REDIS_URL: is no address of Redis");
    }
    for (key, value) in [
        ("PODIUM_STORE__REMEMBER_ACTIONS", "5s"),
        ("PODIUM_STORE__HISTORY", "3"),
        ("PODIUM_STORE__KEEP_ENTRIES", "0"),
    ] {
        let output = import(folder.path(), &[(key, value)]);
        assert_fails(&output, &key[14..].to_lowercase().replace("__", "."));
    }
}

#[test]
fn a_ticket_must_not_be_valid_for_longer_than_redis_knows_it() {
    let folder = folder();
    let secret = ("JWT_SECRET", "b7e0c41d9a5f3826e1704fbc92d8a365");
    let redis = ("PODIUM_STORE__URL", "redis://127.0.0.1:1");
    let remember = ("PODIUM_STORE__REMEMBER_ACTIONS", "1m");
    for command in ["check-config", "serve"] {
        let output = run(folder.path(), &[command], &[secret, redis, remember]);
        assert_fails(&output, "store.remember_actions, auth.ticket_max_ttl");
        assert_fails(&output, "set remember_actions");
    }
    // As long is enough, with the leeway for its end.
    for (valid, leeway, is_enough) in [("55s", "5s", true), ("1m", "0s", true), ("1m", "5s", false)]
    {
        let valid = ("PODIUM_AUTH__TICKET_MAX_TTL", valid);
        let leeway = ("PODIUM_AUTH__LEEWAY", leeway);
        let variables = [secret, redis, remember, valid, leeway];
        let output = run(folder.path(), &["check-config"], &variables);
        assert_eq!(output.status.success(), is_enough, "{output:?}");
    }
    // A file knows every action, and a board that goes from there to Redis is asked about.
    let output = run(folder.path(), &["check-config"], &[secret, remember]);
    assert!(output.status.success(), "{output:?}");
    let migrate = ["migrate", "--from", "sqlite:none.db", "--to", redis.1];
    let output = run(folder.path(), &migrate, &[remember]);
    assert_fails(&output, "store.remember_actions, auth.ticket_max_ttl");
}

/// A certificate for 127.0.0.1, and that of who signed it.
fn certificates(folder: &Path) {
    let openssl = |arguments: &str| {
        let key = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2";
        let made = Process::new("openssl")
            .arg("req")
            .args(key.split(' ').chain(arguments.split(' ')))
            .current_dir(folder)
            .output()
            .expect("openssl is installed");
        assert!(made.status.success(), "{made:?}");
    };
    openssl("-subj /CN=signer -keyout signer.key -out signer.crt");
    openssl("-subj /CN=another -keyout another.key -out another.crt");
    openssl(
        "-subj /CN=redis -CA signer.crt -CAkey signer.key -addext subjectAltName=IP:127.0.0.1 \
         -addext basicConstraints=critical,CA:FALSE -keyout redis.key -out redis.crt",
    );
}

#[test]
fn redis_may_be_reached_by_tls() {
    let folder = folder();
    certificates(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let port = free_port().to_string();
    let server = Server::with(&[
        "--save",
        "",
        "--tls-port",
        &port,
        "--tls-cert-file",
        &path("redis.crt"),
        "--tls-key-file",
        &path("redis.key"),
        "--tls-ca-cert-file",
        &path("signer.crt"),
        "--tls-auth-clients",
        "no",
    ]);
    server.ask::<()>(&["ACL", "SETUSER", "podium", "on", ">secret", "~*", "+@all"]);
    let url = format!("rediss://podium:secret@127.0.0.1:{port}");
    // Whoever signed it is not trusted.
    let variables = [("REDIS_URL", &*url), ("SSL_CERT_FILE", "another.crt")];
    assert_fails(&import(folder.path(), &variables), "certificate");
    let variables = [("REDIS_URL", &*url), ("SSL_CERT_FILE", "signer.crt")];
    assert_imported(&import(folder.path(), &variables));
    // The first says what `main` is.
    assert_eq!(entries(&server), 3);
}
