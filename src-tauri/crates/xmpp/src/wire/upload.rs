//! Files at the account's server: the service, and a slot for one file.
//!
//! Source: XEP-0363 1.1.0, sections 4 to 6.

use xmpp_parsers::disco::DiscoInfoResult;
use xmpp_parsers::http_upload::{SlotRequest, SlotResult};
use xmpp_parsers::minidom::Element;
use xmpp_parsers::ns;

/// The field that says how large a file may be.
const MAX_FILE_SIZE: &str = "max-file-size";
/// The longest value of a header that is sent along.
const MAX_HEADER: usize = 8192;

/// A slot: where the file is put, with which headers, and where it is then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) put: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) get: String,
}

/// How large a file a service takes, if it takes any; `u64::MAX` when it says nothing of that.
pub(crate) fn largest(info: &DiscoInfoResult) -> Option<u64> {
    if !info.features.iter().any(|feature| feature == ns::HTTP_UPLOAD) {
        return None;
    }
    let about_uploads = info.extensions.iter().filter(|form| form.form_type() == Some(ns::HTTP_UPLOAD));
    let mut fields = about_uploads.flat_map(|form| &form.fields);
    let said = fields.find(|field| field.var.as_deref() == Some(MAX_FILE_SIZE));
    let said = said.and_then(|field| field.values.first()?.trim().parse().ok());
    Some(said.unwrap_or(u64::MAX))
}

/// Asks for a slot for so many bytes. Name and type tell the server nothing.
pub(crate) fn request(name: &str, size: u64) -> Element {
    let content_type = Some("application/octet-stream".to_owned());
    SlotRequest { filename: name.to_owned(), size, content_type }.into()
}

/// The slot that an answer gives; headers that could become two are left out.
pub(crate) fn read_slot(answer: &Element) -> Option<Slot> {
    let SlotResult { put, get } = SlotResult::try_from(answer.clone()).ok()?;
    let proper = |value: &str| value.len() <= MAX_HEADER && !value.chars().any(char::is_control);
    let headers = put.headers.into_iter().map(|header| (header.name.as_str(), header.value));
    let headers = headers.filter(|(_, value)| proper(value)).take(3).collect();
    Some(Slot { put: put.url, headers, get: get.url })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(inner: &str) -> DiscoInfoResult {
        let info = format!(
            "<query xmlns='http://jabber.org/protocol/disco#info'><identity category='store' type='file'/>{inner}</query>"
        );
        DiscoInfoResult::try_from(info.parse::<Element>().unwrap()).unwrap()
    }

    #[test]
    fn a_service_says_how_much_it_takes() {
        let feature = "<feature var='urn:xmpp:http:upload:0'/>";
        let form = |kind: &str, size: &str| {
            format!(
                "<x xmlns='jabber:x:data' type='result'><field var='FORM_TYPE' type='hidden'><value>{kind}</value></field>\
                 <field var='max-file-size'><value>{size}</value></field></x>"
            )
        };
        let of = |kind, size| largest(&info(&format!("{feature}{}", form(kind, size))));
        assert_eq!(of("urn:xmpp:http:upload:0", "10485760"), Some(10_485_760));
        assert_eq!(of("urn:other", "7"), Some(u64::MAX), "that is about something else");
        assert_eq!(of("urn:xmpp:http:upload:0", "much"), Some(u64::MAX));
        assert_eq!(largest(&info(feature)), Some(u64::MAX));
        assert_eq!(largest(&info(&form("urn:xmpp:http:upload:0", "7"))), None, "it is no such service");
    }

    #[test]
    fn a_slot_is_read_without_what_could_deceive() {
        insta::assert_snapshot!(super::super::text(request("a1b2", 70)), @"<request xmlns='urn:xmpp:http:upload:0' content-type='application/octet-stream' filename='a1b2' size='70'/>");
        let slot = |headers: &str| {
            let xml = format!(
                "<slot xmlns='urn:xmpp:http:upload:0'><put url='https://u.example/p'>{headers}</put>\
                 <get url='https://u.example/g'/></slot>"
            );
            read_slot(&xml.parse().unwrap()).map(|slot| slot.headers)
        };
        let good = "<header name='Authorization'>Basic Zm9v</header>";
        let wanted = vec![("Authorization", "Basic Zm9v".to_owned())];
        assert_eq!(slot(good), Some(wanted.clone()));
        assert_eq!(slot(&format!("{good}<header name='Cookie'>a&#10;Host: b</header>")), Some(wanted));
        assert_eq!(slot(&good.repeat(9)).map(|headers| headers.len()), Some(3));
        assert_eq!(read_slot(&"<slot xmlns='urn:xmpp:http:upload:0'/>".parse().unwrap()), None);
    }
}
