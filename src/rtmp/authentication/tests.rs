//! Known answers, and what servers say.

use proptest::prelude::*;

use super::*;

#[test]
fn md5_answers_as_published() {
    // RFC 1321 §A.5.
    for (text, expected) in [
        ("", "d41d8cd98f00b204e9800998ecf8427e"),
        ("abc", "900150983cd24fb0d6963f7d28e17f72"),
        ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
    ] {
        assert_eq!(hex_md5(&[text]), expected);
        let (first, second) = text.split_at(text.len() / 2);
        assert_eq!(hex_md5(&[first, second]), expected);
    }
}

#[test]
fn base64_answers_as_published() {
    // RFC 4648 §10.
    for (bytes, expected) in [
        ("", ""),
        ("f", "Zg=="),
        ("fo", "Zm8="),
        ("foo", "Zm9v"),
        ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="),
        ("foobar", "Zm9vYmFy"),
    ] {
        assert_eq!(base64(bytes.as_bytes()), expected);
    }
    assert_eq!(base64(&[0xFB, 0xFF, 0xFE]), "+//+");
    // From the tests of RootEncoder.
    assert_eq!(base64(&md5(&["hello world"])), "XrY7u+Ae7tCTyyK7j1rNww==");
}

#[test]
fn digests_answer_as_published() {
    // RFC 2617 §3.5.
    let identity = hex_md5(&["Mufasa:testrealm@host.com:Circle Of Life"]);
    let target = hex_md5(&["GET:/dir/index.html"]);
    let nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093";
    assert_eq!(
        digest_response(&identity, nonce, "0a4f113b", &target),
        "6629fae49393a05397450978507c4ef1"
    );
}

/// What ffmpeg 5.1 sent to a server that asked like this; user "door", password "pwd1".
#[test]
fn challenges_are_answered_as_ffmpeg_answers_them() {
    const ADOBE: &str = "[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=door\
                         &salt=sAlT+/==&challenge=cH4ll+/=";
    for (description, random, expected) in [
        (
            ADOBE.to_owned(),
            0x66a3_3bfd,
            "?authmod=adobe&user=door&challenge=66a33bfd&response=2v3xXTwVX+pltkbKiUPv9A==",
        ),
        (
            format!("{ADOBE}&opaque=0paQue== :"),
            0xa608_8040,
            "?authmod=adobe&user=door&challenge=a6088040&response=eMqHZ+3pVGAoOkO34rpxFA==\
             &opaque=0paQue==",
        ),
        (
            "[ AccessManager.Reject ] : [ authmod=llnw ] : ?reason=needauth&user=door\
             &nonce=n0nce/+7"
                .to_owned(),
            0x45ab_c6eb,
            "?authmod=llnw&user=door&nonce=n0nce/+7&cnonce=45abc6eb&nc=00000001\
             &response=3510b9a52520d5a8ae880fe9901e7c43",
        ),
    ] {
        let Some(Demand::Proof(challenge)) = Demand::parse(&description) else {
            panic!("{description}");
        };
        assert_eq!(
            challenge.answer("live", "door", "pwd1", random),
            expected,
            "{description}"
        );
    }
}

#[test]
fn what_servers_say_is_understood() {
    let proof = |mode, salt, once, opaque| {
        Some(Demand::Proof(Challenge {
            mode,
            salt,
            once,
            opaque,
        }))
    };
    for (description, expected) in [
        ("", None),
        ("no such app", None),
        (
            "[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ",
            Some(Demand::Name(AuthMode::Adobe)),
        ),
        (
            "code=403 need auth; authmod=llnw",
            Some(Demand::Name(AuthMode::Llnw)),
        ),
        // gortmplib's, without brackets.
        (
            "authmod=adobe ?reason=needauth&user=u&salt=s&challenge=c",
            proof(AuthMode::Adobe, "s", "c", None),
        ),
        (
            "authmod=adobe ?reason=needauth&challenge=c&opaque=",
            proof(AuthMode::Adobe, "", "c", None),
        ),
        (
            "authmod=adobe ?reason=needauth&opaque=o&salt=s== more",
            proof(AuthMode::Adobe, "s==", "o", Some("o")),
        ),
        (
            "[ authmod=llnw ] : ?reason=needauth&user=u&opaque=o&nonce=n",
            proof(AuthMode::Llnw, "", "n", None),
        ),
        (
            "[ authmod=adobe ] : ?reason=authfailed&opaque=o",
            Some(Demand::Refused("authfailed")),
        ),
        (
            "[ authmod=llnw ] : ?reason=nosuchuser",
            Some(Demand::Refused("nosuchuser")),
        ),
        ("authmod=adobe ?reason=", Some(Demand::Refused(""))),
        // Nothing that could be answered.
        (
            "authmod=adobe ?reason=needauth&salt=s",
            Some(Demand::Unknown),
        ),
        (
            "authmod=llnw ?reason=needauth&challenge=c",
            Some(Demand::Unknown),
        ),
        ("authmod=adobe2 need auth", Some(Demand::Unknown)),
        ("authmod=", Some(Demand::Unknown)),
        ("authmod=kerberos", Some(Demand::Unknown)),
    ] {
        assert_eq!(Demand::parse(description), expected, "{description}");
    }
}

#[test]
fn limelight_signs_the_path_without_query() {
    let Some(Demand::Proof(challenge)) = Demand::parse("authmod=llnw ?reason=needauth&nonce=n")
    else {
        panic!();
    };
    let answer = |app| challenge.answer(app, "u", "p", 7);
    assert_eq!(answer("live"), answer("live?token=a/b"));
    assert_eq!(answer("live"), answer("live/_definst_"));
    assert_ne!(answer("live"), answer("live/inst"));
}

#[test]
fn a_user_does_not_end_the_query() {
    for (user, expected) in [
        ("u", "?authmod=adobe&user=u"),
        ("a=b+c@d", "?authmod=adobe&user=a=b+c@d"),
        ("a&b?c %#", "?authmod=adobe&user=a%26b%3Fc%20%25%23"),
    ] {
        assert_eq!(name_query(AuthMode::Adobe, user), expected);
    }
}

proptest! {
    #[test]
    fn any_description_is_read(
        text in ".{0,40}",
        fields in "(authmod=(adobe|llnw)|[?]reason=needauth|&(nonce|salt|opaque)=[+=/a-z]*|[ :]){0,8}",
    ) {
        for description in [text.clone(), format!("authmod=adobe{text}"), fields] {
            if let Some(Demand::Proof(challenge)) = Demand::parse(&description) {
                let answer = challenge.answer(&text, &text, &text, 1);
                let is_whole = answer.starts_with("?authmod=") && answer.contains("&response=");
                prop_assert!(is_whole, "{}", answer);
            }
        }
    }
}
