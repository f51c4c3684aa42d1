//! The words of headings, by what they mean. One language or two to a line; accents and case as people
//! write them, for both are folded away. `_` is a space within a phrase, `*` is any ending.

/// What a word says of a column of phone numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhoneWord {
    WhatsApp,
    Mobile,
    Phone,
    /// Of a phone or of a house.
    Number,
    /// A number of theirs, or their name.
    Contact,
    /// At home, at work, besides: whom one reaches there is less sure.
    Elsewhere,
    /// Whose it is. With a number alone it is no phone: `customer number`.
    Owner,
    /// Says nothing more.
    Plain,
    /// What such a word is about is no number to write to.
    Never,
}

use PhoneWord::{Contact, Elsewhere, Mobile, Never, Number, Owner, Phone, Plain, WhatsApp};

pub const PHONE: &[(PhoneWord, &str)] = &[
    (WhatsApp, "whatsapp whats_app whatapp watsapp whatsap whats whatts wapp wpp wsp wa zap zapzap"),
    (WhatsApp, "واتساب واتس_اب واتس واتسآب واتساپ ватсап вотсап вацап ватцап уатсап воцап вайбер_ватсап"),
    (WhatsApp, "וואטסאפ ווטסאפ ווצאפ व्हाट्सएप व्हाट्सऐप व्हाट्सअप वाट्सएप হোয়াটসঅ্যাপ হোয়াটসএপ 왓츠앱 ワッツアップ"),
    // English
    (Mobile, "mobile mobiles cell cellphone cellular mob msisdn cellno"),
    (Phone, "phone phones telephone tel telno phoneno telephones ph"),
    // Portuguese, Spanish, Italian
    (
        Mobile,
        "celular celulares cel cell telemóvel telemovel telemóveis tlm móvil móviles cellulare cellulari",
    ),
    (Phone, "telefone telefones fone teléfono teléfonos telefono telefoni tlf tfno tfn telf telef fono"),
    (Phone, "telefónico telefónicos telefônico telefonico recapito recapiti"),
    // French
    (Mobile, "portable portables gsm"),
    (Phone, "téléphone téléphones telephonique téléphonique"),
    // German, Dutch, Swedish, Danish, Norwegian, Finnish
    (
        Mobile,
        "handy handynr mobil mobilfunk mobilfon mobiltelefon mobiel mobiele matkapuhelin kännykkä gsmnummer",
    ),
    (Phone, "telefon* telefoon* telfoon fon rufnummer festnetz puhelin puhelin* tlfnr tlfnummer"),
    // Polish, Czech, Slovak, Hungarian, Romanian, Croatian, Turkish
    (
        Mobile,
        "komórka komórkowy komórkowego kom mobilní mobilný mobitel mobilni ceptel cep_tel cep_telefon cep_telefonu cep_no cep_numarası",
    ),
    (Phone, "telefón* telefonszám telefonos telefoane telefonski telefonlar τηλέφωνο τηλεφώνου τηλ τηλέφωνα"),
    (Mobile, "κινητό κινητού κινητά"),
    // Russian, Ukrainian, Bulgarian
    (Mobile, "мобильный мобильного мобильные моб сотовый сотового сот мобільний мобільного мобилен мобілка"),
    (Phone, "телефон* тел"),
    // Arabic, Persian, Urdu, Hebrew
    (Mobile, "جوال موبايل موبیل موبایل محمول نقال خلوي خليوي همراه موبائل נייד סלולרי סלולארי פלאפון"),
    (Phone, "هاتف هواتف تليفون تلفون تيلفون تلفن فون טלפון טל"),
    // Hindi, Marathi, Bengali, Gujarati, Tamil, Telugu
    (Mobile, "मोबाइल मोबाईल মোবাইল મોબાઇલ மொபைல் கைபேசி మొబైల్ ಮೊಬೈಲ್ മൊബൈൽ ਮੋਬਾਈਲ"),
    (Phone, "फ़ोन फोन दूरभाष टेलीफोन টেলিফোন ফোন ફોન தொலைபேசி போன் ఫోన్ ಫೋನ್ ഫോൺ ਫੋਨ"),
    // Chinese, Japanese, Korean
    (
        Mobile,
        "手机 手機 移动电话 行動電話 流動電話 携帯 携帯電話 ケータイ スマホ 휴대폰 휴대전화 핸드폰 모바일 휴대",
    ),
    (Phone, "电话 電話 座机 でんわ 전화 연락처 联系电话 聯絡電話"),
    // Vietnamese, Thai, Indonesian, Malay, Filipino, Swahili, Amharic
    (Mobile, "di_động dđ มือถือ hp ponsel handphone seluler selular bimbit rununu"),
    (Phone, "điện_thoại đt sđt sdt đtdđ โทรศัพท์ โทร telepon telp tlp telpon telefono_ng telepono simu ስልክ"),
    (Number, "number numbers no num nr nbr numero número números núm numéro nummer nummern numara numarası"),
    (
        Number,
        "numer numeru numery číslo čísla szám száma număr numărul broj αριθμός номер номера номеру nomor nombor",
    ),
    (Number, "رقم ارقام شماره نمبر מספר मोबाइल_संख्या नंबर नम्बर संख्या নম্বর নাম্বার নং નંબર எண் నంబర్ ನಂಬರ್"),
    (Number, "号 号码 號 號碼 番号 번호 số หมายเลข เบอร์ nambari to msisdns"),
    (
        Contact,
        "contact contacts kontakt contato contatos contacto contactos contatto contatti kontakt* kontak liên_hệ liên_lạc",
    ),
    (
        Contact,
        "контакт* контактный контактні اتصال تماس تواصل رابطہ איש_קשר קשר संपर्क सम्पर्क যোগাযোগ 联系 联系方式 聯絡",
    ),
    (
        Contact,
        "連絡先 연락 ติดต่อ recipient recipients destinatario destinatário destinataire iletişim yhteystiedot reach",
    ),
    (
        Elsewhere,
        "home work office business other secondary second alternate alternative alt additional landline car",
    ),
    (
        Elsewhere,
        "shipping default address delivery company organization organisation corporate callback evening day daytime night",
    ),
    (
        Elsewhere,
        "casa trabalho comercial residencial fixo outro outros recado trabajo fijo otro oficina lavoro fisso altro",
    ),
    (
        Elsewhere,
        "maison domicile travail bureau fixe autre privat geschäftlich dienstlich büro arbeit zuhause werk thuis",
    ),
    (
        Elsewhere,
        "ev iş diğer дом домашний рабочий рабочего другой дополнительный منزل عمل خانه محل کار בית עבודה",
    ),
    (
        Elsewhere,
        "家庭 公司 办公 固定 住宅 自宅 会社 勤務先 집 회사 자택 nhà cơ_quan บ้าน ที่ทำงาน rumah kantor dom praca",
    ),
    (
        Owner,
        "customer client customers clients buyer user member student guest patient lead person personal contactperson",
    ),
    (
        Owner,
        "cliente clientes usuario usuário aluno paciente assinante comprador pessoal kunde kunden klant müşteri klient",
    ),
    (
        Owner,
        "клиент клиента покупатель عميل مشتری לקוח ग्राहक গ্রাহক 客户 客戶 用户 会员 お客様 고객 khách_hàng ลูกค้า pelanggan",
    ),
    (
        Owner,
        "parent guardian father mother owner subscriber participant attendee applicant candidate employee staff pai mãe",
    ),
    (
        Owner,
        "billing payer purchaser traveller traveler passenger donor voter resident tenant responsável padre madre",
    ),
    (
        Plain,
        "the your my our his her a an of for with and or in on e i f full primary main first preferred best current",
    ),
    (
        Plain,
        "value valor wert raw formatted format international intl national local ddd ddi inc incl including include",
    ),
    (
        Plain,
        "sms call calls_to please enter what s enabled active line reachable direct private de do da dos das del di",
    ),
    (
        Plain,
        "du des la le les el lo il der die das den dem und et y o u oder ou ve veya i_whatsapp principal principale seu sua",
    ),
    (
        Plain,
        "com con mit avec sem su tu tuo votre ihre uw van het ng ya saya anda của anh chị в с и на для по или मेरा का की",
    ),
    (
        Plain,
        "with_country_code incl_country_code including_country_code w_country_code and_country_code plus_country_code with_area_code including_area_code incl_area_code",
    ),
    (
        Plain,
        "com_código_do_país con_código_de_país con_prefijo con_prefisso mit_vorwahl mit_ländervorwahl avec_indicatif",
    ),
    (
        Plain,
        "com_código_de_área e_164 e164 10_digit digit digits required optional obrigatório obligatorio requis pflicht",
    ),
    (
        Plain,
        "必填 必須 必填项 선택 필수 本人 ご の お 您的 我的 常用 主要 默认 อันดับ ของ คุณ نا خود شما خاص بك صاحب",
    ),
    // A machine, or somebody else.
    (
        Never,
        "fax telefax faxnummer faxno faks факс فاكس فکس نمابر פקס फ़ैक्स फैक्स ফ্যাক্স 传真 傳真 ファックス ファクス fakssi",
    ),
    (
        Never,
        "팩스 โทรสาร แฟกซ์ φαξ pager beeper bip telex tty tdd isdn radio assistant assistants secretary emergency sos",
    ),
    (
        Never,
        "emergência emergencia urgence notfall emergenza acil экстренный طوارئ 紧急 緊急 비상 spouse manager supervisor",
    ),
    (Never, "referrer reference referral support helpdesk vendor supplier"),
    // What is said about a number.
    (
        Never,
        "label type typ tipo etiqueta étiquette etichetta türü тип نوع סוג प्रकार 类型 類型 種類 유형 loại ประเภท jenis kind",
    ),
    (
        Never,
        "verified verify verification unverified valid invalid validated confirmed status state estado stato statut verificado",
    ),
    (
        Never,
        "carrier operator operadora operador provider network plan brand model make os device sim imei id ids uuid guid key",
    ),
    (
        Never,
        "country code area prefix ext extension ramal anexo paese pays land ländercode vorwahl país código indicativo region",
    ),
    (
        Never,
        "name names nome nombre nom naam имя اسم نام שם नाम 姓名 名前 이름 ten tên ชื่อ nama user_name email mail mails e_mail",
    ),
    (Never, "correo courriel почта بريد ایمیل דואל ईमेल 邮箱 邮件 メール 이메일 อีเมล surel"),
    (
        Never,
        "opt optin optout in_opt consent consented accept accepts accepted allow allowed permission subscribed marketing",
    ),
    (
        Never,
        "date data fecha datum tarih дата تاريخ تاریخ תאריך दिनांक 日期 日付 날짜 ngày วันที่ tanggal time created updated",
    ),
    (
        Never,
        "count qty quantity total amount price cost sum age score rank percent menge betrag valor_total importe montant",
    ),
    (
        Never,
        "bill group groups link url website web site page message messages text template sent delivered read response reply",
    ),
    (
        Never,
        "app apps ios android login pin otp password cpf cnpj dni rut nif vat tax gst pan aadhaar passport iban bank",
    ),
    (
        Never,
        "order orders pedido bestellung commande ordine заказ طلب 订单 注文 주문 invoice fatura factura facture rechnung tracking",
    ),
    (
        Never,
        "zip zipcode postal postcode postleitzahl plz cap street house hausnummer rua calle via room flat unit",
    ),
    (Never, "last_call last_contacted calls duration notes note comment comments 微信 qq ext_number"),
];

/// What a word says of a column of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameWord {
    /// Of a person, or of anything.
    Name,
    /// What they are called by, in a word of its own.
    Given,
    /// The same beside a word for name.
    First,
    /// Their family's, in a word of its own.
    Family,
    /// The same beside a word for name.
    Last,
    /// The whole of it.
    Whole,
    /// Whose name it is, and words that say nothing more.
    Beside,
    /// Of an advertisement, which Turkish calls a name.
    Advertisement,
}

use NameWord::{Advertisement, Beside, Family, First, Given, Last, Name, Whole};

pub const NAME: &[(NameWord, &str)] = &[
    (
        Name,
        "name names nome nomes nombre nombres nom nombre_s naam navn namn nimi nume név meno nazwa ime όνομα име isim",
    ),
    (
        Name,
        "اسم نام שם नाम নাম નામ பெயர் పేరు ಹೆಸರು പേര് ਨਾਂ 姓名 名字 名称 名前 氏名 お名前 ご氏名 なまえ 이름 성명 성함 고객명",
    ),
    (Name, "họ_tên họ_và_tên tên họ_và_tên_khách ชื่อ ชื่อ_นามสกุล nama pangalan jina ስም фио піб fio"),
    (
        Given,
        "firstname forename vor vorname rufname prénom prénoms voornaam fornavn förnamn etunimi imię imiona jméno křestní",
    ),
    (
        Given,
        "keresztnév prenume имя імя имена ad adı adınız fname prenom nombre_de_pila име_собствено 名 öğrenci_adı",
    ),
    (
        First,
        "first given primeiro primer primo christian pila depan birinci نخست कनिष्ठ कोठी christened battesimo",
    ),
    (Given, "ad"),
    (Advertisement, "ad_name ad_set ad_set_name ad_id ad_group"),
    (
        Family,
        "lastname surname surnames sobrenome apelido apellido apellidos cognome nachname familienname achternaam etternavn",
    ),
    (
        Family,
        "efternavn efternamn sukunimi nazwisko příjmení priezvisko családnév vezetéknév prezime фамилия прізвище фамилии soyad",
    ),
    (
        Family,
        "soyadı soyisim lname 姓 성 نام_خانوادگی שם_משפחה उपनाम họ นามสกุล επώνυμο nom_de_famille belakang اسم_عائلة",
    ),
    (Last, "last family sur famiglia famille familia keluarga عائله خانوادگي משפחה"),
    (
        Whole,
        "full whole complete completo completa complet vollständiger voller lengkap display كامل کامل מלא पूरा 全 volledige",
    ),
    (
        Beside,
        "customer client contact person user_full buyer member student guest patient lead recipient billing shipping the your",
    ),
    (
        Beside,
        "cliente clientes contato contacto contatto aluno paciente kunden kunde klant müşteri klienta клиента عميل مشتری לקוח",
    ),
    (
        Beside,
        "ग्राहक 客户 客戶 お客様 고객 khách_hàng ลูกค้า pelanggan and e y et und en i ve и a do da del della de of la le el seu tu su",
    ),
    (
        Beside,
        "my is what s value attendee participant subscriber owner account_holder primary main fullname pessoa kontakt kontaktu",
    ),
];
