//! Who is not written to any more, and by which words people say so. Pure.
//!
//! | file | what |
//! |---|---|
//! | `words` | the words of carriers and people, in the languages of the field |
//! | `sentences` | whole sentences that say the same |
//! | `sentences_india` | and those of India's languages |
//! | `heard` | a message, made plain, compared with them |

use serde::{Deserialize, Serialize};

use crate::pacing::Windows;
use crate::phone::Phone;

mod heard;
mod sentences;
mod sentences_india;
#[cfg(test)]
mod tests_of_languages;
mod words;

use heard::Heard;

/// Longer messages are not looked at, in bytes: a wish is a word or a short sentence.
const WISH_MAX: usize = 240;
/// The most words in a list of a tenant's own. Ours, taken and added to, is one.
pub const WORDS_MAX: usize = 500;

/// What a tenant wants of its bulk messages, per mode.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Of numbers that are written without a country code: ISO 3166, such as `BR`.
    pub default_country: Option<String>,
    /// Where a job names none.
    pub windows: Windows,
    /// `None`: our own words and sentences. Empty: nobody can opt out by a message.
    pub stop_words: Option<Vec<String>>,
    pub start_words: Option<Vec<String>>,
    /// What somebody who opts out by a message is told, once.
    pub confirmation: Option<String>,
    /// Single sends are refused too, and not jobs alone.
    pub applies_to_all: bool,
}

/// What a message says of being written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    Stop,
    Start,
}

/// Who put a number on the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "lowercase")]
#[sqlx(rename_all = "lowercase", type_name = "text")]
pub enum Source {
    Api,
    Message,
}

impl Source {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Message => "message",
        }
    }
}

/// A number on the list.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct OptOut {
    pub phone: Phone,
    pub source: Source,
    pub created_at: crate::clock::At,
}

/// Could this be a wish at all? Saves looking up whose words count.
pub fn may_be_wish(body: &str) -> bool {
    !body.is_empty() && body.len() <= WISH_MAX
}

impl Settings {
    /// The whole message must be the word or the sentence: "please stop by at noon" is no wish. A tenant's
    /// words stand in place of all of ours.
    pub fn wish(&self, body: &str) -> Option<Wish> {
        if !may_be_wish(body) {
            return None;
        }
        let heard = Heard::of(body);
        let is_stop = self.stop_words.as_ref().map_or_else(|| heard.is_stop(), |own| heard.is_one_of(own));
        if is_stop {
            return Some(Wish::Stop);
        }
        let is_start = self.start_words.as_ref().map_or_else(|| heard.is_start(), |own| heard.is_one_of(own));
        is_start.then_some(Wish::Start)
    }
}

/// Our own list, for those who ask what it is.
pub fn stop_words() -> Vec<String> {
    let all =
        words::STOP.iter().chain(words::STOP_ALONE).chain(words::STOP_EXACT).chain(words::STOP_CAPITALS);
    all.map(|word| (*word).to_owned()).collect()
}

pub fn start_words() -> Vec<String> {
    words::START.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_the_whole_message() {
        let settings = Settings::default();
        for stop in ["STOP", " stop. ", "Sair!", "*stop*", "SAIR", "Désabonner"] {
            assert_eq!(settings.wish(stop), Some(Wish::Stop), "{stop}");
        }
        for other in ["", "  ", "please stop by at noon", "👍", "..."] {
            assert_eq!(settings.wish(other), None, "{other}");
        }
        assert_eq!(settings.wish("Start"), Some(Wish::Start));
    }

    #[test]
    fn a_tenants_own_words_replace_ours() {
        let settings = Settings { stop_words: Some(vec!["Chega!".into()]), ..Settings::default() };
        assert_eq!(settings.wish("chega"), Some(Wish::Stop));
        assert_eq!(settings.wish("stop"), None);
        assert_eq!(settings.wish("stop sending me messages"), None);
        for said in ["CHEGA!!! 🙏", "chega, por favor", "Ｃｈｅｇａ", "chegaaaa", "Chega chega"] {
            assert_eq!(settings.wish(said), Some(Wish::Stop), "{said}");
        }
        let signs = Settings { stop_words: Some(vec!["🛑".into(), "0".into()]), ..Settings::default() };
        for (said, wish) in [
            ("🛑", Some(Wish::Stop)),
            (" 🛑\u{fe0f} ", Some(Wish::Stop)),
            ("0", Some(Wish::Stop)),
            ("👍", None),
            ("00", None),
        ] {
            assert_eq!(signs.wish(said), wish, "{said}");
        }
        let none = Settings { stop_words: Some(vec![]), ..Settings::default() };
        assert_eq!(none.wish("stop"), None);
        assert_eq!(none.wish("start"), Some(Wish::Start));
    }

    /// Everybody who says this wants no more messages, in one language or another.
    #[test]
    fn who_wants_no_more_messages_is_understood() {
        let wishes = [
            "STOPALL",
            "Stop all",
            "CANCEL",
            "END",
            "QUIT",
            "ARRET",
            "Arrêt",
            "OPTOUT",
            "opt-out",
            "Opt out!",
            "REVOKE",
            "UNSUBSCRIBE",
            "Stop. Thank you",
            "STOP PROMO",
            "please stop",
            "Please stop!",
            "pls stop",
            "stop pls 🙏",
            "Stop it",
            "stop this",
            "stop now",
            "ok stop",
            "STOP STOP STOP",
            "stoooop",
            "STOPPP!!!",
            "stopp",
            "ＳＴＯＰ",
            "\u{200f}STOP\u{200e}",
            "S T O P",
            "s.t.o.p",
            "*STOP*",
            "\"STOP\"",
            "STOP 🛑🛑",
            "st\u{200b}op",
            "stop sending me messages",
            "Stop sending me these messages!",
            "please stop texting me",
            "Stop messaging me.",
            "can you stop sending me ads please",
            "stop spamming me",
            "Don't text me again",
            "dont message me anymore",
            "Do not contact me",
            "don’t send me messages",
            "no more messages please",
            "Unsubscribe me",
            "unsubscribe me from this list",
            "remove me from your list",
            "Take me off your list",
            "I want to unsubscribe",
            "please remove my number from your database",
            "I don't want to receive any more messages",
            "i no longer wish to receive your texts",
            "opt me out",
            "stop the messages",
            "stop marketing",
            "sair",
            "PARAR",
            "pare",
            "descadastrar",
            "cancelar inscrição",
            "não quero mais receber",
            "Não quero mais receber mensagens",
            "nao quero receber propaganda",
            "pare de me mandar mensagens",
            "parem de enviar mensagens por favor",
            "não me mande mais mensagens",
            "me tire da lista",
            "me remova dessa lista",
            "quero sair da lista",
            "por favor, parar",
            "não me envie mais nada",
            "baja",
            "BAJA por favor",
            "alto",
            "cancelar",
            "salir",
            "darme de baja",
            "quiero darme de baja",
            "no me envíen más mensajes",
            "dejen de enviarme mensajes",
            "deja de escribirme",
            "no quiero recibir más mensajes",
            "ya no quiero recibir publicidad",
            "no más mensajes",
            "elimínenme de la lista",
            "désabonner",
            "desabonner",
            "désabonnez-moi",
            "arrêtez",
            "arrêtez de m'envoyer des messages",
            "stop la pub",
            "je ne veux plus recevoir de messages",
            "ne m'écrivez plus",
            "ne me contactez plus svp",
            "se désinscrire",
            "plus de pub svp",
            "retirez-moi de votre liste",
            "STOP s'il vous plaît",
            "abmelden",
            "bitte abmelden",
            "Stopp!",
            "keine Werbung",
            "bitte keine Nachrichten mehr",
            "schickt mir keine Nachrichten mehr",
            "Ich möchte keine Nachrichten mehr erhalten",
            "bitte nicht mehr schreiben",
            "löschen Sie meine Nummer",
            "Abbestellen",
            "basta",
            "annulla",
            "cancellami",
            "basta messaggi",
            "smettetela di mandarmi messaggi",
            "non scrivetemi più",
            "non voglio più ricevere messaggi",
            "disiscrivimi",
            "afmelden",
            "uitschrijven",
            "stuur mij geen berichten meer",
            "geen reclame meer aub",
            "ik wil geen berichten meer ontvangen",
            "iptal",
            "İPTAL",
            "IPTAL",
            "RET",
            "durdur",
            "mesaj istemiyorum",
            "bana mesaj atmayın",
            "artık mesaj göndermeyin lütfen",
            "beni listeden çıkarın",
            "стоп",
            "СТОП!",
            "отписаться",
            "отпишите меня",
            "не пишите мне больше",
            "больше не пишите",
            "не присылайте мне сообщения",
            "хватит слать рекламу",
            "я не хочу получать рассылку",
            "удалите мой номер",
            "отмена",
            "відписатися",
            "не пишіть мені більше",
            "припиніть розсилку",
            "я більше не хочу отримувати повідомлення",
            "wypisz",
            "proszę wypisz mnie",
            "nie wysyłajcie mi więcej wiadomości",
            "nie piszcie do mnie",
            "rezygnuję",
            "usuńcie mój numer z bazy",
            "odhlásit",
            "neposílejte mi zprávy",
            "přestaňte mi psát",
            "zrušit",
            "توقف",
            "إيقاف",
            "ايقاف",
            "أوقِف",
            "الغاء الاشتراك",
            "إلغاء",
            "لا ترسلوا لي رسائل",
            "توقف عن إرسال الرسائل",
            "لا أريد رسائل",
            "احذف رقمي",
            "شكرا، توقف",
            "لغو",
            "لغو عضویت",
            "دیگه پیام نفرستید",
            "پیامک نمی\u{200c}خواهم",
            "הסר",
            "הסר אותי",
            "תפסיקו לשלוח לי הודעות",
            "אל תשלחו לי הודעות",
            "הסירו אותי מהרשימה בבקשה",
            "बंद",
            "बन्द",
            "बंद करो",
            "कृपया बंद करें",
            "मैसेज मत भेजो",
            "मुझे मैसेज नहीं चाहिए",
            "message mat bhejo",
            "band karo",
            "msg band karo please",
            "বন্ধ",
            "বন্ধ করুন",
            "আর মেসেজ দিবেন না",
            "berhenti",
            "Berhenti!",
            "UNREG",
            "tolong berhenti",
            "jangan kirim pesan lagi",
            "jangan hubungi saya lagi",
            "dừng",
            "Dừng lại",
            "đừng gửi tin nhắn cho tôi nữa",
            "hủy đăng ký",
            "dung gui tin nhan cho toi nua",
            "ยกเลิก",
            "หยุด",
            "หยุดส่งข้อความ",
            "อย่าส่งข้อความมาอีก",
            "ยกเลิกค่ะ",
            "退订",
            "退訂",
            "停止",
            "取消订阅",
            "请不要再给我发短信",
            "不要再发了",
            "我不想收到广告",
            "退订，谢谢",
            "停止",
            "配信停止",
            "メッセージを送らないでください",
            "もう送らないでください",
            "配信停止してください",
            "ストップ",
            "중지",
            "수신거부",
            "수신 거부 합니다",
            "문자 보내지 마세요",
            "그만 보내세요",
            "광고 그만",
            "sitisha",
            "acha kunitumia ujumbe",
            "tigil na",
            "huwag na kayong mag-send ng message",
            "στοπ",
            "leiratkozás",
            "dezabonare",
        ];
        let not_heard: Vec<&str> =
            wishes.into_iter().filter(|said| Settings::default().wish(said) != Some(Wish::Stop)).collect();
        assert!(not_heard.is_empty(), "{not_heard:#?}");
    }

    /// Nobody who says this does, though it holds a word to stop.
    #[test]
    fn an_ordinary_sentence_is_no_wish() {
        let sentences = [
            "don't stop",
            "Don’t stop!",
            "please don't stop",
            "do not stop sending",
            "where is the bus stop?",
            "Bus stop",
            "stop by at noon",
            "please stop by at noon",
            "end of the street",
            "the end",
            "weekend",
            "in the end",
            "cancel my order 12",
            "cancel order",
            "please cancel",
            "cancel the appointment",
            "Can I cancel?",
            "I quit smoking",
            "I can't stop laughing",
            "stop laughing",
            "non-stop",
            "nonstop flight?",
            "stopover",
            "one stop shop",
            "stop the car",
            "remove the onions",
            "turn it off",
            "off white",
            "is it 20% off?",
            "thank you",
            "please",
            "thanks!",
            "ok",
            "hello",
            "stop sign",
            "full stop",
            "stop loss",
            "pit stop",
            "when do you stop?",
            "do you stop here",
            "Stop, please call me",
            "stop by please",
            "don't send it yet",
            "send me messages",
            "don't send me the invoice",
            "I want to stop by",
            "unsubscribed?",
            "how do I subscribe",
            "I want more messages",
            "no more questions",
            "don't call me",
            "no",
            "no thanks",
            "not now",
            "not interested",
            "I don't want this",
            "I want to end my contract",
            "parar na esquina",
            "não pare",
            "nao pare!",
            "pode parar aqui",
            "vou sair agora",
            "sair para jantar",
            "quero sair com você",
            "não quero mais",
            "para mim",
            "para",
            "pare aqui por favor",
            "quero cancelar meu pedido",
            "chega hoje?",
            "chega amanhã",
            "quando chega?",
            "não quero receber hoje",
            "baja talla",
            "¿hay baja médica?",
            "alto y claro",
            "no pares",
            "para mañana",
            "para",
            "no quiero más pan",
            "cancelar mi pedido",
            "quiero salir",
            "l'arrêt de bus",
            "arrêt de bus",
            "n'arrêtez pas",
            "sans arrêt",
            "je ne veux plus de fromage",
            "Haltestelle",
            "hör nicht auf",
            "ich möchte nicht abmelden",
            "keine Ahnung",
            "Stoppuhr",
            "non fermarti",
            "la fermata dell'autobus",
            "non basta",
            "bushalte",
            "niet stoppen",
            "otobüs durağı",
            "durma",
            "siparişimi iptal et",
            "остановка автобуса",
            "не останавливайтесь",
            "стоп-кран",
            "отмена заказа 12",
            "не пишите слишком быстро",
            "зупинка",
            "nie przestawaj",
            "koniec ulicy",
            "zastávka",
            "لا تتوقف",
            "موقف الحافلات",
            "إلغاء الطلب 12",
            "توقف الحافلة هنا",
            "ایستگاه اتوبوس",
            "אל תפסיק",
            "תחנת אוטובוס",
            "बस स्टॉप कहाँ है",
            "दुकान बंद है",
            "दुकान कब बंद होगी?",
            "দোকান বন্ধ",
            "jangan berhenti",
            "halte bus di mana",
            "berhenti di mana?",
            "đúng",
            "Đúng rồi",
            "dung",
            "Huy",
            "đừng dừng lại",
            "trạm dừng xe buýt",
            "ป้ายหยุดรถ",
            "อย่าหยุด",
            "ยกเลิกออเดอร์",
            "不要停",
            "停止营业了吗",
            "车站",
            "取消订单",
            "止まらないで",
            "バス停",
            "注文をキャンセル",
            "멈추지 마",
            "버스 정류장",
            "주문 취소",
            "usiache",
            "huwag kang titigil",
            "red",
            "td",
            "1",
            "12",
            "ten",
            "fin",
            "n",
            "👎",
            "🛑",
            "di",
            "peru",
        ];
        let taken: Vec<&str> =
            sentences.into_iter().filter(|said| Settings::default().wish(said) == Some(Wish::Stop)).collect();
        assert!(taken.is_empty(), "{taken:#?}");
    }

    #[test]
    fn who_wants_messages_again_is_understood() {
        for said in ["start", "START!", "please start", "Unstop", "voltar", "alta", "старт"] {
            assert_eq!(Settings::default().wish(said), Some(Wish::Start), "{said}");
        }
        for said in ["start the car", "when do you start?", "don't start", "restart"] {
            assert_eq!(Settings::default().wish(said), None, "{said}");
        }
    }

    #[test]
    fn every_word_of_ours_is_heard_however_it_is_typed() {
        for word in stop_words() {
            for typed in [word.clone(), word.to_uppercase(), format!("  {word}. "), format!("«{word}» 🙏")]
            {
                assert_eq!(Settings::default().wish(&typed), Some(Wish::Stop), "{typed}");
            }
        }
        for word in start_words() {
            assert_eq!(Settings::default().wish(&word.to_uppercase()), Some(Wish::Start), "{word}");
        }
    }

    /// A list that a tenant took from us and gives back is still ours.
    #[test]
    fn our_own_list_has_room_in_a_tenants() {
        assert!(stop_words().len() < WORDS_MAX);
        let mut once: Vec<String> = stop_words().iter().map(|word| word.to_lowercase()).collect();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), stop_words().len(), "no word stands there twice");
    }

    #[test]
    fn a_long_message_is_not_looked_at() {
        assert_eq!(Settings::default().wish(&format!("stop {}", "stop ".repeat(100))), None);
        assert!(may_be_wish("stop") && !may_be_wish("") && !may_be_wish(&"x".repeat(WISH_MAX + 1)));
    }
}
