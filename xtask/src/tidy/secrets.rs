//! What is called a secret has the type of one, in every type of every library: then `Debug` has nothing to show.

/// Parts of a name that say that a value is a secret.
const SECRET: &[&str] = &["password", "passphrase", "secret", "api_key", "private_key", "credential", "master_key"];

/// What a secret could be read from: text and bytes that redact and wipe nothing.
const PLAIN: &[&str] = &["String", "str", "u8", "Bytes", "OsString", "Url"];

/// Returns what is wrong with the file `path`. Test kits handle secrets that are none.
pub(super) fn check(path: &str, text: &str) -> Vec<String> {
    let library = path.starts_with("cachekit") && path.contains("/src/") && !path.starts_with("cachekit-testkit/");
    if !library {
        return Vec::new();
    }
    let lines = (1..).zip(text.lines());
    let plain = lines.filter_map(|(number, line)| plain_secret(line).map(|name| (number, name)));
    let shown = |(number, name): (usize, &str)| {
        format!(
            "{path}:{number}: `{name}` is plain text or bytes: a secret is a `SecretString`, a `SecretBox` or a `MasterKey`"
        )
    };
    plain.map(shown).collect()
}

/// The name of a field or argument on this line that is called a secret and is none by its type.
fn plain_secret(line: &str) -> Option<&str> {
    let line = line.split("//").next()?.trim();
    let (name, of) = line.split_once(": ")?;
    let name = name.split(' ').next_back()?;
    let named = SECRET.iter().any(|secret| name.contains(secret));
    // A borrowed one belongs to somebody else; a call or a macro is no declaration.
    let declared =
        name.chars().all(|c| c.is_ascii_lowercase() || c == '_') && !of.starts_with('&') && !of.contains('(');
    let words = |c: char| !(c.is_alphanumeric() || c == '_');
    let plain =
        of.split(words).any(|word| PLAIN.contains(&word)) && !of.contains("Secret") && !of.contains("Zeroizing");
    (named && declared && plain).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_in_plain_text_is_found() {
        for (line, expected) in [
            ("    password: Option<String>,", Some("password")),
            ("    pub(crate) api_key: Vec<u8>,", Some("api_key")),
            ("    client_secret: Arc<[u8; 32]>, // of whom", Some("client_secret")),
            ("    password: Option<SecretString>,", None),
            ("    master_key: Zeroizing<[u8; 32]>,", None),
            ("    password: &str,", None),
            ("    token: FenceToken,", None),
            ("    // the password: String of characters", None),
            ("    name: String,", None),
        ] {
            assert_eq!(plain_secret(line), expected, "{line}");
        }
    }

    #[test]
    fn only_libraries_are_looked_at() {
        let text = "    password: String,\n";
        assert_eq!(check("cachekit-redis/src/config.rs", text).len(), 1);
        assert!(check("cachekit-testkit/src/fixtures.rs", text).is_empty());
        assert!(check("cachekit-redis/tests/url.rs", text).is_empty());
    }
}
