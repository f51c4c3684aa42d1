//! What the owner of a receiver may do about an answer.

use super::Sent;

/// For people; none where the answer was good or says enough.
pub fn hint(sent: &Sent) -> Option<&'static str> {
    let text = match (sent.status.map(|status| status.as_u16()), sent.error?) {
        (Some(401 | 403), _) => {
            "The receiver refused the signature or wants credentials. Compare its secret with this endpoint's, \
             sign the body byte for byte as it arrived (before any JSON parser), and allow five minutes of \
             difference between clocks. Credentials go into the endpoint's headers"
        }
        (Some(404), _) => "Nothing is at this path; the URL is called exactly as it is written here",
        (Some(405), _) => "The receiver does not take POST at this path",
        (Some(410), _) => "410 says that nothing is wanted any more: a delivery would turn this endpoint off",
        (Some(415), _) => "The receiver must take application/json",
        (Some(429), _) => "The receiver wants fewer requests; lower this endpoint's concurrency",
        (_, "redirect") => "Redirects are not followed; give the URL that they lead to",
        (_, "server_error") => "The receiver failed; its log says why",
        (_, "timed_out") => "Answer 2xx at once and do the work afterwards, or raise timeoutMs",
        (_, "tls_failed") => {
            "The certificate is not valid for this host, has run out, or its chain is incomplete"
        }
        (_, "host_not_found") => "The name has no address; look at its DNS",
        (_, "connection_failed") => "Nobody listens there, or a firewall is between",
        (
            _,
            "blocked_address" | "local_host" | "port_not_allowed" | "scheme_not_allowed" | "https_required",
        ) => "An operator may allow it with WAPID_SSRF_ALLOW",
        (_, "broken_answer") => "What came back was not HTTP, or the connection broke",
        _ => return None,
    };
    Some(text)
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn a_refusal_says_what_to_compare_and_a_success_says_nothing() {
        let refused = Sent { status: Some(StatusCode::UNAUTHORIZED), ..Sent::failed("unauthorized") };
        assert!(hint(&refused).unwrap().contains("secret"));
        let fine = Sent { status: Some(StatusCode::OK), error: None, ..Sent::failed("") };
        assert_eq!(hint(&fine), None);
        assert!(hint(&Sent::failed("timed_out")).unwrap().contains("timeoutMs"));
    }
}
