use std::collections::HashSet;

use super::*;

#[test]
fn every_kind_is_found_by_its_word() {
    for kind in Kind::ALL {
        assert_eq!(Kind::parse(kind.as_str()), Some(*kind));
    }
    assert_eq!(Kind::parse("message"), None);
}

/// Readers know each field by its name, and whether it is null or absent.
#[test]
fn an_event_of_each_kind_is_written_byte_for_byte_as_ever() {
    let mut seen = HashSet::new();
    for (data, expected) in examples() {
        let event = NewEvent::new(At(7_000), data);
        let json = event.json().expect("an event is JSON");
        assert_eq!(json, expected.replace("\n        ", ""), "{:?}", event.kind());
        seen.insert(event.kind());
    }
    assert_eq!(Kind::ALL.iter().find(|kind| !seen.contains(kind)), None, "a kind without an example");
}

fn examples() -> Vec<(EventData, &'static str)> {
    [
        of_sessions(),
        of_messages(),
        of_changes(),
        of_files_and_groups(),
        of_jobs(),
        of_people(),
        of_endpoints(),
    ]
    .concat()
}

fn of_sessions() -> Vec<(EventData, &'static str)> {
    let told = SessionEvent {
        session_id: "main".into(),
        status: "disconnected",
        reason: Some("stopped"),
        phone_number: None,
        expected_phone_number: None,
        logged_out: None,
        since: 7_000,
    };
    let plain =
        r#"{"phoneNumber":null,"reason":"stopped","sessionId":"main","since":7000,"status":"disconnected"}"#;
    let other = SessionEvent {
        reason: Some("other_number"),
        phone_number: Some("5511900000001".into()),
        expected_phone_number: Some("5511900000002".into()),
        ..told.clone()
    };
    let removed = SessionEvent { reason: Some("removed"), logged_out: Some(false), ..told.clone() };
    vec![
        (EventData::SessionInitializing(told.clone()), plain),
        (EventData::SessionQrReady(told.clone()), plain),
        (EventData::SessionAuthenticated(told.clone()), plain),
        (EventData::SessionReady(told.clone()), plain),
        (EventData::SessionPasskeyRequired(told.clone()), plain),
        (EventData::SessionDisconnected(told), plain),
        (
            EventData::SessionDisconnected(removed),
            r#"{"loggedOut":false,"phoneNumber":null,"reason":"removed","sessionId":"main","since":7000,
        "status":"disconnected"}"#,
        ),
        (
            EventData::SessionDisconnected(other),
            r#"{"expectedPhoneNumber":"5511900000002","phoneNumber":"5511900000001","reason":"other_number",
        "sessionId":"main","since":7000,"status":"disconnected"}"#,
        ),
    ]
}

fn received() -> ReceivedEvent {
    ReceivedEvent {
        message_id: "A1".into(),
        key: "msg_a".into(),
        chat: "987@lid".into(),
        from: "987@lid".into(),
        phone: None,
        lid: Some("987".into()),
        contact_id: Some("con_a".into()),
        sender_name: None,
        r#type: "text".into(),
        body: "hi".into(),
        is_group: false,
        has_media: false,
        timestamp: 7,
        chat_name: None,
        media: None,
        media_id: None,
        view_once: None,
        poll: None,
        location: None,
        contacts: None,
        quoted: None,
        mentions: None,
        mentioned_me: None,
        forwarded: None,
        forwarded_times: None,
        expires_in: None,
        truncated: None,
        unreadable: None,
        link_preview: None,
        erased: None,
    }
}

fn of_messages() -> Vec<(EventData, &'static str)> {
    let full = ReceivedEvent {
        media: Some(MediaShown {
            id: "med_a".into(),
            mime_type: "image/jpeg".into(),
            file_name: None,
            size: Some(9),
            seconds: None,
            width: None,
            height: None,
        }),
        poll: Some(PollShown { options: vec!["A".into()], selectable_count: 0 }),
        location: Some(PlaceShown {
            latitude: 1.5,
            longitude: -2.0,
            name: None,
            address: None,
            live: Some(true),
        }),
        contacts: Some(vec![CardShown { name: "Ana".into(), phones: vec![], vcard: "V".into() }]),
        quoted: Some(QuotedShown {
            message_id: "A0".into(),
            from: None,
            r#type: "text".into(),
            body: "?".into(),
            chat: None,
            is_status: None,
        }),
        link_preview: Some(LinkPreviewShown { url: "u".into(), title: "t".into(), description: None }),
        sender_name: Some("Ana".into()),
        ..received()
    };
    let sent = MessageEvent {
        message_id: "A1".into(),
        key: "msg_a".into(),
        direction: "out",
        chat: "5511900000001@s.whatsapp.net".into(),
        origin: "api",
        phone: Some("5511900000001".into()),
        r#type: "text".into(),
        status: "sent",
        ..MessageEvent::default()
    };
    let failed = MessageEvent {
        status: "failed",
        job_id: Some("j".into()),
        error: Some(MessageError { code: Some("BLOCKED".into()), message: None }),
        ..sent.clone()
    };
    let echo = MessageEvent {
        origin: "phone",
        body: Some("hi".into()),
        sender_name: Some(None),
        is_group: Some(false),
        ..sent.clone()
    };
    let plain = r#"{"chat":"5511900000001@s.whatsapp.net","direction":"out","key":"msg_a","lid":null,"messageId":"A1",
        "origin":"api","phone":"5511900000001","status":"sent","type":"text"}"#;
    vec![
        (
            EventData::MessageReceived(received()),
            r#"{"body":"hi","chat":"987@lid","contactId":"con_a","from":"987@lid","hasMedia":false,"isGroup":false,
        "key":"msg_a","lid":"987","messageId":"A1","phone":null,"senderName":null,"timestamp":7,"type":"text"}"#,
        ),
        (
            EventData::MessageReceived(full),
            r#"{"body":"hi","chat":"987@lid","contactId":"con_a","contacts":[{"name":"Ana","phones":[],"vcard":"V"}],
        "from":"987@lid","hasMedia":false,"isGroup":false,"key":"msg_a","lid":"987",
        "linkPreview":{"title":"t","url":"u"},"location":{"latitude":1.5,"live":true,"longitude":-2.0},
        "media":{"id":"med_a","mimeType":"image/jpeg","size":9},"messageId":"A1","phone":null,
        "poll":{"options":["A"],"selectableCount":0},
        "quoted":{"body":"?","from":null,"messageId":"A0","type":"text"},"senderName":"Ana","timestamp":7,
        "type":"text"}"#,
        ),
        (EventData::MessageSent(sent.clone()), plain),
        (EventData::MessageDelivered(sent.clone()), plain),
        (EventData::MessageRead(sent.clone()), plain),
        (EventData::MessagePlayed(sent), plain),
        (
            EventData::MessageFailed(failed),
            r#"{"chat":"5511900000001@s.whatsapp.net","direction":"out","error":{"code":"BLOCKED","message":null},
        "jobId":"j","key":"msg_a","lid":null,"messageId":"A1","origin":"api","phone":"5511900000001",
        "status":"failed","type":"text"}"#,
        ),
        (
            EventData::MessageSent(echo),
            r#"{"body":"hi","chat":"5511900000001@s.whatsapp.net","direction":"out","isGroup":false,"key":"msg_a",
        "lid":null,"messageId":"A1","origin":"phone","phone":"5511900000001","senderName":null,"status":"sent",
        "type":"text"}"#,
        ),
    ]
}

fn of_changes() -> Vec<(EventData, &'static str)> {
    let change = ChangeEvent {
        message_id: "A2".into(),
        key: "msg_b".into(),
        target_id: "A1".into(),
        target_from_me: true,
        direction: None,
        chat: "987@lid".into(),
        from: "987@lid".into(),
        phone: None,
        lid: Some("987".into()),
        contact_id: None,
        sender_name: None,
        chat_name: None,
        r#type: "edit".into(),
        body: "hi".into(),
        is_group: false,
        has_media: false,
        timestamp: 7,
        emoji: None,
        votes: None,
        by_admin: None,
        origin: None,
        quoted: None,
        mentions: None,
        mentioned_me: None,
        truncated: None,
        unreadable: None,
        erased: None,
    };
    let reaction = ChangeEvent {
        emoji: Some(String::new()),
        direction: Some("out"),
        origin: Some("phone"),
        ..change.clone()
    };
    let plain = r#"{"body":"hi","chat":"987@lid","from":"987@lid","hasMedia":false,"isGroup":false,"key":"msg_b",
        "lid":"987","messageId":"A2","phone":null,"senderName":null,"targetFromMe":true,"targetId":"A1","timestamp":7,
        "type":"edit"}"#;
    vec![
        (EventData::MessageEdited(change.clone()), plain),
        (EventData::MessageDeleted(change.clone()), plain),
        (EventData::MessageVote(change), plain),
        (
            EventData::MessageReaction(reaction),
            r#"{"body":"hi","chat":"987@lid","direction":"out","emoji":"","from":"987@lid","hasMedia":false,
        "isGroup":false,"key":"msg_b","lid":"987","messageId":"A2","origin":"phone","phone":null,"senderName":null,
        "targetFromMe":true,"targetId":"A1","timestamp":7,"type":"edit"}"#,
        ),
    ]
}

fn of_files_and_groups() -> Vec<(EventData, &'static str)> {
    let file = MediaEvent {
        media_id: "med_a".into(),
        message_id: "A1".into(),
        chat: "987@lid".into(),
        r#type: "image".into(),
        mime_type: Some("image/jpeg".into()),
        ..MediaEvent::default()
    };
    let group = GroupEvent { group_id: "1@g.us".into(), timestamp: 7, ..GroupEvent::default() };
    let person = GroupPerson { phone: None, lid: Some("987".into()) };
    let took = GroupChange { description: Some(None), ..GroupChange::default() };
    vec![
        (
            EventData::MediaStored(MediaEvent { sha256: Some("00ff".into()), size: Some(9), ..file.clone() }),
            r#"{"chat":"987@lid","mediaId":"med_a","messageId":"A1","mimeType":"image/jpeg","sha256":"00ff","size":9,
        "type":"image"}"#,
        ),
        (
            EventData::MediaFailed(MediaEvent { error: Some("gone".into()), ..file }),
            r#"{"chat":"987@lid","error":"gone","mediaId":"med_a","messageId":"A1","mimeType":"image/jpeg","size":null,
        "type":"image"}"#,
        ),
        (
            EventData::GroupJoined(GroupEvent { reason: Some("added"), ..group.clone() }),
            r#"{"by":null,"groupId":"1@g.us","reason":"added","subject":null,"timestamp":7}"#,
        ),
        (
            EventData::GroupLeft(GroupEvent { by: Some(person.clone()), ..group.clone() }),
            r#"{"by":{"lid":"987","phone":null},"groupId":"1@g.us","subject":null,"timestamp":7}"#,
        ),
        (
            EventData::GroupUpdated(GroupEvent { changed: Some(took), ..group.clone() }),
            r#"{"by":null,"changed":{"description":null},"groupId":"1@g.us","subject":null,"timestamp":7}"#,
        ),
        (
            EventData::GroupParticipants(GroupEvent {
                subject: Some("Team".into()),
                action: Some("add"),
                participants: Some(vec![person]),
                ..group
            }),
            r#"{"action":"add","by":null,"groupId":"1@g.us","participants":[{"lid":"987","phone":null}],
        "subject":"Team","timestamp":7}"#,
        ),
    ]
}

fn of_jobs() -> Vec<(EventData, &'static str)> {
    let job = JobEvent {
        job_id: "j".into(),
        session_id: "main".into(),
        state: "running",
        total: 4,
        succeeded: 1,
        failed: 1,
        skipped: 0,
        processed: 2,
        reason: None,
        retried: None,
    };
    let plain = r#"{"failed":1,"jobId":"j","processed":2,"sessionId":"main","skipped":0,"state":"running","succeeded":1,
        "total":4}"#;
    vec![
        (EventData::JobStarted(job.clone()), plain),
        (EventData::JobPaused(job.clone()), plain),
        (EventData::JobResumed(job.clone()), plain),
        (EventData::JobCancelled(job.clone()), plain),
        (EventData::JobCompleted(job.clone()), plain),
        (
            EventData::JobResumed(JobEvent { retried: Some(1), ..job.clone() }),
            r#"{"failed":1,"jobId":"j","processed":2,"retried":1,"sessionId":"main","skipped":0,"state":"running",
        "succeeded":1,"total":4}"#,
        ),
        (
            EventData::JobFailed(JobEvent { reason: Some("session_removed"), ..job }),
            r#"{"failed":1,"jobId":"j","processed":2,"reason":"session_removed","sessionId":"main","skipped":0,
        "state":"running","succeeded":1,"total":4}"#,
        ),
    ]
}

fn of_people() -> Vec<(EventData, &'static str)> {
    let by_api = OptOutEvent {
        phone: "5511900000001".into(),
        lid: None,
        contact_id: Some("con_a".into()),
        source: "api",
        message_id: None,
    };
    let by_message = OptOutEvent { source: "message", message_id: Some("A1".into()), ..by_api.clone() };
    let presence = PresenceEvent {
        phone: Some("5511900000001".into()),
        lid: None,
        contact_id: None,
        state: "available",
        last_seen: None,
    };
    let typing = TypingEvent {
        chat: "987@lid".into(),
        phone: None,
        lid: Some("987".into()),
        contact_id: None,
        state: "composing",
        is_group: false,
    };
    let call = CallEvent {
        call_id: "C".into(),
        from: "987@lid".into(),
        phone: None,
        lid: Some("987".into()),
        contact_id: None,
        is_video: true,
        is_group: false,
        group: None,
        missed: false,
        timestamp: 7,
    };
    vec![
        (
            EventData::OptOutAdded(by_message),
            r#"{"contactId":"con_a","lid":null,"messageId":"A1","phone":"5511900000001","source":"message"}"#,
        ),
        (
            EventData::OptOutRemoved(by_api),
            r#"{"contactId":"con_a","lid":null,"phone":"5511900000001","source":"api"}"#,
        ),
        (
            EventData::PresenceUpdated(presence),
            r#"{"lastSeen":null,"lid":null,"phone":"5511900000001","state":"available"}"#,
        ),
        (
            EventData::ChatTyping(typing),
            r#"{"chat":"987@lid","isGroup":false,"lid":"987","phone":null,"state":"composing"}"#,
        ),
        (
            EventData::CallReceived(call),
            r#"{"callId":"C","from":"987@lid","group":null,"isGroup":false,"isVideo":true,"lid":"987","missed":false,
        "phone":null,"timestamp":7}"#,
        ),
    ]
}

fn of_endpoints() -> Vec<(EventData, &'static str)> {
    let endpoint = EndpointEvent { endpoint_id: "ep_a".into(), ..EndpointEvent::default() };
    let last_attempt = Some(LastAttempt { status: None, error: Some("timed_out") });
    let failing = EndpointEvent { last_attempt, ..endpoint.clone() };
    let exhausted = EndpointEvent { event_id: Some("evt_a".into()), attempts: Some(3), ..failing.clone() };
    vec![
        (
            EventData::EndpointFailing(failing.clone()),
            r#"{"endpointId":"ep_a","lastAttempt":{"error":"timed_out","status":null}}"#,
        ),
        (EventData::EndpointRecovered(endpoint.clone()), r#"{"endpointId":"ep_a"}"#),
        (EventData::EndpointEnabled(endpoint.clone()), r#"{"endpointId":"ep_a"}"#),
        (
            EventData::EndpointDisabled(EndpointEvent { reason: Some("owner"), ..endpoint }),
            r#"{"endpointId":"ep_a","reason":"owner"}"#,
        ),
        (
            EventData::EndpointDisabled(EndpointEvent { reason: Some("gone"), ..failing }),
            r#"{"endpointId":"ep_a","lastAttempt":{"error":"timed_out","status":null},"reason":"gone"}"#,
        ),
        (
            EventData::EndpointExhausted(exhausted),
            r#"{"attempts":3,"endpointId":"ep_a","eventId":"evt_a","lastAttempt":{"error":"timed_out","status":null}}"#,
        ),
    ]
}
