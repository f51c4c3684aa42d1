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
    /// The owner of a dog is the customer, the owner of a lead is not.
    Keeper,
    /// Somebody else's: their doctor's, the driver's, the shop's; or one that they had before.
    Another,
    /// Says nothing more.
    Plain,
    /// What such a word is about is no number to write to.
    Never,
}

use PhoneWord::{Another, Contact, Elsewhere, Keeper, Mobile, Never, Number, Owner, Phone, Plain, WhatsApp};

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
    // The Caucasus, Central Asia, South and South-East Asia, Africa
    (
        Mobile,
        "მობილური მობილურის բջջային ұялы uyali mobil_telefon ජංගම ទូរស័ព្ទដៃ ມືຖື မိုဘိုင်း મોબાઈલ મોબાઇલ ମୋବାଇଲ भ्रमणध्वनी చరవాణి farsími",
    ),
    (Phone, "ტელეფონ* հեռախոս* հեռ දුරකථන ទូរស័ព្ទ ໂທ ໂທລະສັບ ဖုန်း တယ်လီဖုန်း ଫୋନ ದೂರವಾಣಿ ਫ਼ੋਨ утас утасны foonu waya sími"),
    (
        Number,
        "ნომერი ნომრის համար* අංකය លេខ ເບີ နံပါတ် ନମ୍ବର ಸಂಖ್ಯೆ നമ്പർ ਨੰਬਰ क्रमांक నెంబర్ नं нөмірі нөмір raqam raqami nömrə nömrəsi",
    ),
    (Number, "numeris numurs numuri številka дугаар nọmba nomba namba lamba ቁጥር br broja numri"),
    (
        Phone,
        "tālrunis tālruņa puh puhelinnro telefoni telefonas tel_no notelp notelepon notlp telefonoa telèfon telèfons",
    ),
    (
        Mobile,
        "κιν переносной переносного h_p nohp nohandphone nope mobitela mobitelu mobil_č mobilni_telefon mòbil mugikorra",
    ),
    (
        WhatsApp,
        "واٹس_ایپ واٹس واٹسایپ واٹساپ واتس_ایپ واتسآپ વોટ્સએપ વ્હોટ્સએપ வாட்ஸ்அப் வாட்ஸ்ஆப் వాట్సాప్ ವಾಟ್ಸಾಪ್ വാട്സ്ആപ്പ് ਵਟਸਐਪ ვოთსაპი ვატსაპი วอทส์แอพ วอตส์แอป วอทแอป",
    ),
    (Mobile, "موبائل_فون"),
    (
        Elsewhere,
        "weitere weiteres weiterer auto automóvil carro voiture voertuig particular раб дом доп машине автотелефон",
    ),
    (
        Plain,
        "dell all nell sull qual quais cual cuál quel quelle which welche quale est ist haupt основной основная личный личного ваш ваша укажите",
    ),
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
        "parent guardian father mother subscriber participant attendee applicant candidate employee staff pai mãe",
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
    // Whom a list names beside its people. One who writes to these by mistake writes a hundred times to one.
    (
        Keeper,
        "owner owners dono dona dueño dueña propietario propietaria proprietário proprietária propriétaire proprietario eigentümer besitzer",
    ),
    (
        Keeper,
        "eigenaar właściciel* majitel* tulajdonos proprietar vlasnik sahibi владел* власник* собственник* مالک 业主 業主 chủ_sở_hữu เจ้าของ pemilik",
    ),
    (
        Another,
        "doctor doctors doc dr physician dentist nurse therapist vet veterinarian driver drivers rider courier chauffeur seller salesperson",
    ),
    (
        Another,
        "salesman saleswoman salesrep sales_rep rep representative agent agents teacher tutor coach instructor professor manager managers supervisor",
    ),
    (
        Another,
        "boss broker realtor landlord referrer referred_by referral reference vendor supplier store shop branch outlet dealer distributor",
    ),
    (
        Another,
        "technician consultant advisor adviser host attorney lawyer accountant guarantor witness spouse husband wife neighbour neighbor friend",
    ),
    (
        Another,
        "sender assignee assigned_to account_manager contact_owner deal_owner lead_owner account_owner record_owner account_executive receptionist recruiter",
    ),
    (
        Another,
        "old previous former past antigo antiga anterior antiguo vecchio precedente ancien ancienne alt alte altes vorherige oud vorige stary",
    ),
    (
        Another,
        "starý старый предыдущий прежний eski قديم سابق قدیمی ישן קודם पुराना 旧 舊 以前 이전 cũ เก่า lama",
    ),
    // Portuguese, Spanish, Italian
    (
        Another,
        "médico médica medico medica doutor doutora motorista entregador vendedor vendedora vendedores corretor corretora corretores professora",
    ),
    (
        Another,
        "gerente supervisora fornecedor loja lojista filial indicação indicador indicado_por representante consultor consultora atendente técnico",
    ),
    (
        Another,
        "cônjuge marido esposa esposo fiador avalista testemunha agente conductor chofer repartidor profesor profesora maestro maestra jefe jefa",
    ),
    (
        Another,
        "proveedor tienda sucursal asesor asesora inmobiliario inmobiliaria encargado cónyuge vecino autista venditore venditrice insegnante",
    ),
    (
        Another,
        "professore professoressa negozio fornitore agenzia responsabile consulente coniuge dottore dottoressa imobiliária atendimento doador",
    ),
    // French, German, Dutch, Nordic
    (
        Another,
        "médecin docteur livreur vendeur vendeuse professeur enseignant enseignante gérant directeur directrice fournisseur magasin courtier",
    ),
    (
        Another,
        "conseiller conseillère parrain conjoint moniteur arzt ärztin hausarzt arztes fahrer fahrers verkäufer verkäufers vertreter makler",
    ),
    (
        Another,
        "maklers lehrer lehrerin lehrers trainer betreuer berater lieferant filiale vermittler ehepartner techniker händler dokter arts huisarts",
    ),
    (
        Another,
        "verkoper makelaar leraar leerkracht leverancier winkel filiaal adviseur läkare förare säljare mäklare lärare leverantör butik læge",
    ),
    (
        Another,
        "chauffør sælger selger lærer mægler megler lege sjåfør myyjä myyjän opettaja opettajan lääkäri kuljettaja toimittaja",
    ),
    // Polish, Czech, Hungarian, Romanian, Croatian, Turkish, Greek
    (
        Another,
        "lekarz* kierowc* sprzedawc* nauczyciel* doradc* pośrednik* przedstawiciel* handlowc* handlowiec dostawc* sklep sklepu menedżer* kierownik*",
    ),
    (
        Another,
        "lékař* lekár* řidič* prodejc* predajc* makléř* učitel* dodavatel* obchodník* orvos* sofőr* eladó* ügynök* tanár* üzletkötő* szállító*",
    ),
    (
        Another,
        "medicului șofer* vânzător* profesorului furnizor* magazin* agentului liječnik* vozač* prodavač* dobavljač* prodavatel*",
    ),
    (
        Another,
        "doktor doktorun şoför şoförün sürücü satıcı satıcının temsilci temsilcisi danışman öğretmen öğretmeni emlakçı tedarikçi mağaza şube müdür",
    ),
    (
        Another,
        "yönetici kurye γιατρ* οδηγ* πωλητ* δασκάλ* καθηγητ* προμηθευτ* κατάστημα καταστήματος μεσίτ* διευθυντ*",
    ),
    // Russian, Ukrainian, Bulgarian
    (
        Another,
        "врач* доктор* водител* продав* менеджер* агент* учител* риелтор* риэлтор* поставщик* магазин* руководител* директор* курьер*",
    ),
    (
        Another,
        "консультант* тренер* преподавател* куратор* лікар* водій водія вчител* постачальник* супруг* мужа жены лекар* шофьор* доставчик* кур'єр*",
    ),
    // Arabic, Persian, Hebrew
    (
        Another,
        "طبيب دكتور سائق بائع مندوب وكيل معلم مدرس مدير مورد متجر وسيط سمسار مشرف محل پزشک دکتر راننده فروشنده مشاور مدیر فروشگاه نماینده",
    ),
    (Another, "רופא נהג סוכן מורה מנהל ספק חנות מתווך נציג מוכר"),
    // India, and farther east
    (
        Another,
        "डॉक्टर ड्राइवर चालक विक्रेता एजेंट शिक्षक प्रबंधक मैनेजर दुकान ডাক্তার চালক বিক্রেতা এজেন্ট শিক্ষক ডাক্তারের மருத்துவர் ஓட்டுநர்",
    ),
    (
        Another,
        "医生 醫生 医師 司机 司機 销售 销售员 卖家 賣家 经纪人 經紀人 老师 老師 教师 經理 经理 供应商 供應商 店铺 门店 推荐人 推薦人 业务员 業務員 客服 顾问",
    ),
    (
        Another,
        "快递员 骑手 担当医 運転手 販売員 営業担当 先生 講師 店舗 仕入先 紹介者 代理店 의사 운전기사 판매자 선생님 교사 강사 매니저 관리자 공급업체",
    ),
    (
        Another,
        "매장 추천인 중개사 상담사 bác_sĩ tài_xế người_bán nhân_viên giáo_viên quản_lý cửa_hàng môi_giới แพทย์ คนขับ พนักงานขาย ผู้ขาย ตัวแทน อาจารย์",
    ),
    (
        Another,
        "ผู้จัดการ นายหน้า sopir supir penjual agen guru manajer toko pemasok pengajar atasan daktari dereva mwalimu muuzaji",
    ),
    // A machine, or a person who is paid to answer.
    (
        Never,
        "fax telefax faxnummer faxno faks факс فاكس فکس نمابر פקס फ़ैक्स फैक्स ফ্যাক্স 传真 傳真 ファックス ファクス fakssi",
    ),
    (
        Never,
        "팩스 โทรสาร แฟกซ์ φαξ pager beeper bip telex tty tdd isdn radio assistant assistants secretary emergency sos",
    ),
    (Never, "emergência emergencia urgence notfall emergenza acil экстренный طوارئ 紧急 緊急 비상"),
    (Never, "support helpdesk hörbehinderte"),
    (
        Never,
        "asst assistent* assistente assistante ayudante asistente* secretária secretario secretário secretaria segretaria segretario",
    ),
    (
        Never,
        "secrétaire sekretär* sekretariat sekretar* sekreter помощник* ассистент* секретар* помічник* asystent* assistentti",
    ),
    (
        Never,
        "avustaja asszisztens titkár* βοηθ* γραμματ* مساعد سكرتير سكرتيره دستیار منشی עוזר עוזרת מזכירה सहायक সহকারী",
    ),
    (Never, "助理 助手 秘书 秘書 アシスタント 비서 trợ_lý thư_ký ผู้ช่วย เลขา asisten sekretaris msaidizi"),
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

/// The beginning of a number that stands in a column of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberPart {
    CountryCode,
    AreaCode,
    /// One or the other.
    Prefix,
    /// Its name.
    Country,
}

/// Whole headings, but for words of phones and particles.
pub const PARTS: &[(NumberPart, &str)] = &[
    (
        NumberPart::CountryCode,
        "country_code country_calling_code calling_code dial_code dialing_code dialling_code isd isd_code country_prefix",
    ),
    (
        NumberPart::CountryCode,
        "international_code international_prefix intl_code country_dial_code countrycode code_country cc_code phone_code",
    ),
    (
        NumberPart::CountryCode,
        "ddi código_pais código_país codigo_pais cod_pais cód_país prefijo_pais prefijo_internacional indicativo_pais clave_pais",
    ),
    (
        NumberPart::CountryCode,
        "código_internacional indicativo_internacional prefixo_internacional lada_internacional indicatif_pays code_pays",
    ),
    (
        NumberPart::CountryCode,
        "indicatif_international prefisso_internazionale prefisso_paese codice_paese ländercode ländervorwahl landesvorwahl",
    ),
    (
        NumberPart::CountryCode,
        "länderkennung ländervorwahl internationale_vorwahl landcode landnummer landskod landekode landkode maatunnus maakoodi",
    ),
    (
        NumberPart::CountryCode,
        "kod_kraju numer_kierunkowy_kraju kierunkowy_kraju kód_země předvolba_země kód_krajiny országkód ország_kód cod_tara cod_țară",
    ),
    (
        NumberPart::CountryCode,
        "pozivni_broj_države kod_države ülke_kodu κωδικός_χώρας код_страны код_країни код_на_държавата код_държава ел_код",
    ),
    (
        NumberPart::CountryCode,
        "رمز_الدولة رمز_البلد مفتاح_الدولة كود_الدولة فتح_الخط مفتاح_البلد کد_کشور پیش_شماره_کشور ملک_کا_کوڈ קוד_מדינה קידומת_מדינה",
    ),
    (
        NumberPart::CountryCode,
        "देश_कोड देश_का_कोड দেশের_কোড દેશ_કોડ நாட்டு_குறியீடு దేశ_కోడ్ 国家代码 国家代號 国码 國碼 國家代碼 国家区号 國家區號 国际区号 国番号 국가번호 국가코드",
    ),
    (
        NumberPart::CountryCode,
        "mã_quốc_gia mã_vùng_quốc_gia รหัสประเทศ kode_negara kod_negara msimbo_wa_nchi nambari_ya_nchi",
    ),
    (
        NumberPart::AreaCode,
        "area_code areacode std_code std area city_code region_code npa ddd código_area código_área cod_area cód_área código_ddd",
    ),
    (
        NumberPart::AreaCode,
        "código_ciudad indicativo_ciudad lada clave_lada característica prefisso_locale code_régional ortsvorwahl vorwahlnummer",
    ),
    (
        NumberPart::AreaCode,
        "netnummer kengetal riktnummer kierunkowy numer_kierunkowy předvolba predvoľba körzetszám prefix_local alan_kodu bölge_kodu",
    ),
    (
        NumberPart::AreaCode,
        "код_города код_міста код_области код_оператора код_на_града رمز_المنطقة کد_شهر 区号 區號 长途区号 市外局番 지역번호 mã_vùng รหัสพื้นที่ kode_area kod_kawasan",
    ),
    (
        NumberPart::Prefix,
        "prefix prefixo prefijo prefisso préfixe indicatif indicativo vorwahl vorw előhívó prefiks pozivni_broj kod код קידומת الكود kode_telepon",
    ),
    (NumberPart::Prefix, "ddi_ddd ddd_ddi country_area_code country_and_area_code"),
    (
        NumberPart::Country,
        "country country_region country_name billing_country shipping_country país pais pays paese land nação nation staat kraj země krajina",
    ),
    (
        NumberPart::Country,
        "ország țară tara država ülke χώρα страна країна държава държава الدولة البلد بلد دولة کشور ملک ארץ מדינה देश দেশ દેશ நாடு దేశం",
    ),
    (
        NumberPart::Country,
        "国家 國家 国 国名 국가 나라 quốc_gia ประเทศ negara nchi maa country_iso country_iso_code iso_country",
    ),
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
