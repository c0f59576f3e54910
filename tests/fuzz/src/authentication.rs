//! What servers demand of a client in the description of a refusal.

use millstream::rtmp::authentication::{AuthMode, Demand, name_query};

/// A description; behind a newline the user, behind another one the password.
pub fn authentication(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut parts = text.splitn(3, '\n');
    let description = parts.next().unwrap_or_default();
    let user = parts.next().unwrap_or("user");
    let password = parts.next().unwrap_or("password");
    for mode in [AuthMode::Adobe, AuthMode::Llnw] {
        let query = name_query(mode, user);
        assert!(query.starts_with("?authmod="));
        // No user's name adds a field or ends the query.
        assert_eq!(query.matches(['&', '?', '#', ' ']).count(), 2, "{query}");
    }
    let Some(Demand::Proof(challenge)) = Demand::parse(description) else {
        return;
    };
    let answer = challenge.answer("live", user, password, 7);
    assert_eq!(answer, challenge.answer("live", user, password, 7));
    let other = format!("{password}.");
    assert_ne!(answer, challenge.answer("live", user, &other, 7));
    assert_ne!(answer, challenge.answer("live", user, password, 8));
    assert!(answer.starts_with("?authmod=") && answer.contains("&response="));
    assert!(!answer.contains(char::is_whitespace) || user.contains(char::is_whitespace));
    // What is sent is no longer for a long password.
    let long = "p".repeat(1000);
    assert_eq!(
        answer.len(),
        challenge.answer("live", user, &long, 7).len(),
        "{answer}"
    );
}
