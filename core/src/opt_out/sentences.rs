//! Sentences by which people ask to be left alone: `stop sending me messages`. Pure.
//!
//! Each pattern is a whole message, without its courtesies. All of them name what is to stop (messages, a
//! list, being written to), so that `cancel my order 12` and `don't stop` are none of them. They are
//! compared after folding (`heard`), and are folded themselves, so they are written as people write.

use std::sync::LazyLock;

use regex::RegexSet;

use super::sentences_india::SPACED_OF_INDIA;
use crate::search::fold;

/// The sentences of languages that put spaces between words. `NOUN` is what is sent, in that language.
pub(super) static SPACED: LazyLock<RegexSet> = LazyLock::new(|| {
    let patterns = SPACED_BY_LANGUAGE.iter().chain(SPACED_OF_INDIA).flat_map(|(noun, sentences)| {
        let noun = format!("(?:{noun})");
        sentences.iter().map(move |sentence| whole(&sentence.replace("NOUN", &noun)))
    });
    RegexSet::new(patterns).expect("patterns of this file, which its tests compile")
});

/// Those of languages that put none.
pub(super) static UNSPACED: LazyLock<RegexSet> = LazyLock::new(|| {
    RegexSet::new(WITHOUT_SPACES.iter().map(|sentence| whole(sentence)))
        .expect("patterns of this file, which its tests compile")
});

/// Folding leaves the signs of patterns alone.
fn whole(sentence: &str) -> String {
    format!("^(?:{})$", fold(sentence))
}

const SPACED_BY_LANGUAGE: &[(&str, &[&str])] = &[
    // English
    (
        "messages?|msgs?|texts?|sms|ads?|spam|promos?|promotions?|promotional messages?|offers?|adverts?|advertis(?:ing|ements?)|marketing|newsletters?|whatsapps?|updates|notifications?",
        &[
            "(?:i said |can you |could you |would you |will you |i want you to )?(?:stop|quit)(?: (?:sending|texting|messaging|contacting|spamming|writing|bothering))(?: to)?(?: me| us)?(?: any| anymore| more| your| these| this| those| such| the| all)*(?: (?:NOUN|stuff))*(?: to me)?(?: any ?more| again| ever again)*",
            "(?:stop|end|no more)(?: all| the| these| those| your| this| with| of)*(?: NOUN)+(?: any ?more)?",
            "(?:do not|don ?t|dont|never)(?: ever)? (?:text|message|msg|contact|spam|write|write to|sms|whatsapp) (?:me|us)(?: any ?more| again| ever again)*",
            "(?:do not|don ?t|dont|never)(?: ever)? send(?: me| us)?(?: any| any ?more| more| your| these| this| those| such)*(?: NOUN)+(?: to me)?(?: any ?more| again| ever again)*",
            "(?:do not|don ?t|dont|never)(?: ever)? send me (?:any more|any ?thing)(?: again)?",
            "(?:i want to |i would like to |i d like to |i wish to |how do i |how can i |how to )?(?:unsubscribe|unsub|opt ?out|opt me out|opt us out)(?: me| us)?(?: now)?(?: of| from| out)*(?: all| your| this| these| the| any)*(?: mailing| whatsapp| marketing| contact| sms| broadcast)*(?: list| lists| NOUN)*",
            "(?:i want to be |i would like to be |i d like to be |can you |could you )?(?:unsubscribed?|removed?|deleted?)(?: me| us| my number| my contact| my phone number| my phone| my data| from your)(?: from| of| off| out of)*(?: all| your| this| these| the)*(?: mailing| whatsapp| marketing| contact| sms| broadcast)*(?: list| lists| database| system| NOUN)*",
            "(?:please )?lose my number",
            "i (?:did not|didn ?t|never) (?:sign|signed) up for (?:this|these|it)(?: list| NOUN)*",
            "i (?:want|would like|d like|wish|need) to (?:be taken off|get off|come off|leave)(?: of)?(?: your| this| the)(?: mailing| marketing| contact| broadcast)? lists?",
            "(?:do not|don ?t|dont) (?:ever )?(?:text|message|msg|contact|whatsapp) this number(?: any ?more| again)*",
            "take (?:me|us|my number) off(?: of)?(?: your| this| the)?(?: mailing| marketing| contact| broadcast)?(?: lists?)?",
            "i (?:do not|don ?t|dont|no longer) (?:want|wish|like|need)(?: to)?(?: receive| get| see| have)?(?: any| any ?more| more| your| these| this| those| such| the)*(?: NOUN)+(?: from you)?(?: any ?more| again)*",
            "i (?:want|would like|d like|wish) to stop (?:receiving|getting)(?: any| your| these| this| those| such| the)*(?: NOUN)+(?: from you)?",
        ],
    ),
    // Portuguese
    (
        "mensage(?:m|ns)|msgs?|sms|propagandas?|promoções|promoção|ofertas?|publicidades?|spam|anúncios?|notificações",
        &[
            "(?:quero |podem? )?(?:pare|parem|parar|para|deixe|deixem|chega)(?: de)(?: me)? (?:mandar|enviar|mandarem|enviarem|escrever|receber|spam)(?: me)?(?: mais| essas?| estas?| esses?| suas?| tantas?)*(?: NOUN)+(?: para mim| pra mim)?",
            "(?:pare|parem|parar|para|deixe|deixem|chega) de me (?:mandar|enviar|mandarem|enviarem|escrever|perturbar|incomodar|encher)(?: mais)?",
            "chega de(?: tantas?| essas?)?(?: NOUN)+",
            "(?:eu )?(?:já )?não (?:quero|queremos|desejo|gostaria de)(?: mais)? receber(?: mais| as| suas?| essas?| estas?| esses?| nenhuma?| qualquer)*(?: NOUN| nada)*(?: de vocês| deste número| desse número)?(?: mais)?",
            "(?:eu )?(?:já )?não (?:quero|queremos|desejo) mais(?: as| suas?| essas?| estas?| esses?)*(?: NOUN)+",
            "não (?:me )?(?:mande|mandem|envie|enviem|mandar|enviar)(?: me)?(?: mais| nenhuma?| essas?| estas?)*(?: NOUN)+(?: mais)?",
            "não me (?:mande|mandem|envie|enviem|escreva|escrevam|perturbe|perturbem|incomode|incomodem)(?: mais)(?: nada)?",
            "(?:quero |gostaria de |desejo )?(?:me )?(?:tire|tirem|remova|removam|retire|retirem|exclua|excluam|descadastre|descadastrem|descadastrar|descadastra)(?: me| o meu número| meu número| meu contato| meu telefone)(?: da| desta| dessa| de sua)?(?: sua)?(?: lista)?(?: de transmissão| de contatos| de mensagens)?",
            "(?:me )(?:tire|tirem|remova|removam|retire|retirem|exclua|excluam|descadastre|descadastrem|descadastrar)(?: da| desta| dessa| de sua)?(?: sua)?(?: lista)?(?: de transmissão| de contatos| de mensagens)?",
            "(?:quero |gostaria de |como )?(?:faço para )?(?:sair|remover|tirar|excluir|cancelar)(?: da| desta| dessa| a| minha| o)*(?: lista| inscrição| recebimento)(?: de transmissão| de mensagens)?",
            "(?:quero |por favor )?me (?:tira|remove|retira|exclui|descadastra|apaga)(?: da| desta| dessa| de| do| desse| deste)+(?: sua| seu)? (?:lista|cadastro|sistema|banco de dados|base)(?: de transmissão| de contatos| de mensagens)?",
            "(?:tira|remove|retira|exclui|apaga|apague|apaguem|delete|deleta)(?: o)? meu (?:número|contato|telefone|cadastro)(?: da| desta| dessa| de| do| desse)*(?: sua| seu)?(?: lista| cadastro| sistema| banco de dados)?",
            "para de (?:me )?(?:mandar|enviar)(?: me)?(?: mensagem| mensagens| msg| isso| essas coisas)",
            "não (?:me )?(?:manda|envia|mande|envie|escreve|escreva)(?: me)? mais(?: nada| NOUN)*",
            "quero (?:me descadastrar|parar de receber(?: essas?| as| suas?)*(?: NOUN)*)",
        ],
    ),
    // Spanish
    (
        "mensajes?|msjs?|sms|publicidad|promociones|promoción|ofertas?|spam|anuncios?|notificaciones|propaganda",
        &[
            "(?:quiero que )?(?:deje|dejen|deja|dejad|dejar|pare|paren|para|parar) de (?:enviar|mandar|enviarme|mandarme|escribir|spamear)(?: me| más| mis| estos| esos| sus| tantos)*(?: NOUN)+",
            "(?:deje|dejen|deja|dejad|pare|paren) de (?:enviarme|mandarme|escribirme|molestarme|molestar|contactarme)(?: más)?",
            "(?:por favor )?no (?:me )?(?:envíe|envíen|envíes|mande|manden|mandes|enviar|mandar|enviarme|mandarme)(?: más| estos| esos| sus)*(?: NOUN)+(?: más)?",
            "no me (?:envíe|envíen|envíes|mande|manden|mandes|escriba|escriban|escribas|moleste|molesten|contacte|contacten) más(?: nada)?",
            "(?:ya )?no (?:quiero|queremos|deseo) (?:recibir|que me (?:envíen|manden))(?: más| sus?| estos| esos| ningún| los| tus)*(?: NOUN| nada)+(?: más)?",
            "(?:ya )?no (?:quiero|queremos|deseo)(?: más| sus| estos| esos)*(?: NOUN)+(?: más)?",
            "no más(?: NOUN)+",
            "(?:elimíne|elimínen|elimína|quíte|quíten|bórre|bórren|sáque|sáquen)n?(?:me|nme)(?: de)?(?: la| su| esta| tu)?(?: lista)?(?: de difusión| de contactos)?",
            "(?:elimine|eliminen|borre|borren|quite|quiten|saquen) mi (?:número|contacto|teléfono)(?: de)?(?: la| su| esta)?(?: lista)?",
            "(?:quiero |quisiera |deseo )?(?:darme|dar|darnos|deme|denme|dame|dadme) de baja(?: de| la| esta| su| lista| NOUN)*",
            "(?:quiero |quisiera )?(?:que )?(?:me )?(?:borren?|saquen?|quiten?|eliminen?|remuevan?) (?:de|me de)(?: la| su| esta| tu)+ lista(?: de difusión| de contactos)?",
            "(?:quiero |deseo )?(?:salir|salirme)(?: de)(?: la| su| esta| tu) lista(?: de difusión)?",
            "(?:ya )?no me (?:escriban?|escribas|manden?|envíen?|contacten?)(?: más)?(?: por favor)?",
            "(?:quiero )?cancelar(?: la| mi)? (?:suscripción|inscripción)",
        ],
    ),
    // French
    (
        "messages?|msgs?|sms|textos?|pubs?|publicités?|promos?|promotions?|offres?|spams?|newsletters?|notifications?",
        &[
            "(?:arrête|arrêter|arrêtez|cessez|cesse|cesser)(?: de| d)?(?: m| me| nous)? (?:envoyer|écrire|contacter|spammer|harceler|déranger|texter)(?: des?| d| vos| ces| tes| plus| les)*(?: NOUN)*",
            "(?:arrête|arrêtez|stop|cessez|plus|plus de|marre de)(?: avec| de| d| la| le| les| vos| ces| tes| aux?)*(?: NOUN)+",
            "(?:ne )?(?:m|me|nous) (?:envoyez|envoie|écrivez|contactez|spammez|dérangez|textez) plus(?: rien| jamais| de| d| vos| ces| ce genre de)*(?: NOUN)*",
            "je (?:ne )?(?:veux|souhaite|désire|voudrais) plus(?: rien)?(?: recevoir)(?: de| d| vos| ces| des| aucun)*(?: NOUN)*(?: de votre part)?",
            "je (?:ne )?(?:veux|souhaite|désire) plus(?: de| d| vos| ces| des)*(?: NOUN)+",
            "je (?:ne )?(?:veux|souhaite|désire) plus être contactée?",
            "(?:je (?:veux|souhaite|voudrais|désire) )?(?:me )?(?:désabonner|désinscrire|désabonnez|désinscrivez)(?: moi| nous)?(?: de)?(?: la| votre| cette| vos)?(?: listes?| NOUN)*",
            "(?:retirez|supprimez|enlevez|effacez)(?: moi| mon numéro| mon contact)(?: de)?(?: la| votre| vos| cette)?(?: listes?| fichiers?)?(?: de diffusion)?",
        ],
    ),
    // German
    (
        "nachrichten?|sms|werbung|werbenachrichten|spam|angebote?|newsletter|werbe sms|mitteilungen|whatsapps?",
        &[
            "(?:ich )?(?:bitte )?keine(?: weiteren?| solchen?)?(?: NOUN)+(?: mehr)?(?: bitte)?(?: an mich)?(?: schicken| senden| zusenden| schreiben)?",
            "(?:bitte )?(?:schick|schicke|schicken|schickt|sende|senden|sendet)(?: sie)?(?: mir| uns)(?: bitte)? (?:keine|nie|nichts|nicht)(?: weiteren?| solchen?)?(?: NOUN)*(?: mehr| wieder)",
            "(?:bitte )?(?:schreib|schreibe|schreiben|schreibt|kontaktieren|kontaktiert)(?: sie)? (?:mir|mich|uns) nicht mehr(?: an)?",
            "(?:bitte )?nicht mehr (?:schreiben|anschreiben|schicken|senden|kontaktieren)",
            "(?:bitte )?(?:hör|höre|hören|hört)(?: sie)?(?: bitte)? auf(?: damit)?(?: mir)?(?: NOUN)* ?(?:zu (?:schicken|senden|schreiben|spammen))",
            "ich (?:möchte|will|wünsche)(?: bitte)? keine(?: weiteren?)?(?: NOUN)+(?: mehr)?(?: von ihnen| von euch)?(?: erhalten| bekommen)?",
            "ich (?:möchte|will)(?: mich)?(?: bitte)?(?: vom newsletter| davon| hier)? (?:abmelden|austragen|abbestellen|abgemeldet werden)",
            "(?:bitte )?(?:melde|melden|meldet|trage|tragen|tragt|streiche|streichen|lösche|löschen|löscht|nehme|nehmen|nehmt|entfernen|entferne|entfernt)(?: sie)? (?:mich|meine nummer)(?: bitte)?(?: von| aus| der| ihrer| eurer| dem| liste| verteiler| newsletter)*(?: ab| aus| raus| runter)?",
        ],
    ),
    // Italian
    (
        "messagg[io]|sms|pubblicità|promozion[ei]|offert[ae]|spam|notifiche|newsletter",
        &[
            "(?:smettil[ae]|smetti|smettete|smetta|smettetela|finitela) (?:di|con) ?(?:mandarmi|inviarmi|scrivermi|contattarmi|mandare|inviare|spammare)?(?: più| altri| questi| i| la| le)*(?: NOUN)*",
            "(?:basta|stop|niente|non più)(?: con| più| altri| altre| i| gli| la| le| questi| queste| coi)*(?: NOUN)+",
            "non (?:mandatemi|mandarmi|mandate|inviatemi|inviarmi|inviate|scrivetemi|scrivermi|contattatemi|contattarmi) più(?: altri| questi| nessun| i)*(?: NOUN)*",
            "(?:io )?non (?:voglio|vogliamo|desidero)(?: più)?(?: ricevere)?(?: più)?(?: i| vostri| altri| questi| le| vostre| la| altra)*(?: NOUN)+",
            "non voglio più ricevere(?: nulla| niente)?",
            "(?:cancellatemi|cancellami|toglietemi|toglimi|rimuovetemi|rimuovimi|eliminatemi|disiscrivetemi|disiscrivimi)(?: da| dalla| dalle| dai)?(?: vostra| vostre| vostri| questa)?(?: lista| liste| contatti| NOUN)*",
        ],
    ),
    // Dutch
    (
        "berichten|berichtjes|bericht|sms|reclame|spam|aanbiedingen|appjes|nieuwsbrief|nieuwsbrieven",
        &[
            "(?:stop|stoppen|hou op|houd op) met(?: het)?(?: sturen| berichten| appen| mailen| smsen| spammen)(?: van)?(?: NOUN)*",
            "(?:stuur|sturen|app|mail)(?: mij| me| ons)? (?:geen|niet)(?: meer)?(?: NOUN)*(?: meer)",
            "geen(?: NOUN)+(?: meer)?(?: sturen| ontvangen)?",
            "ik wil (?:geen|niet)(?: meer)?(?: jullie| deze| uw)?(?: NOUN)+(?: meer)?(?: ontvangen| krijgen)?",
            "(?:haal|verwijder|schrijf|meld) (?:mij|me|mijn nummer)(?: uit| van| de| deze| jullie| uw| lijst| bestand| af)*",
            "ik wil (?:mij|me) (?:afmelden|uitschrijven)",
        ],
    ),
    // Turkish
    (
        "mesaj|mesajlar|sms|reklam|reklamlar|spam",
        &[
            "(?:artık |bir daha |lütfen )*(?:bana )?(?:artık |bir daha )?NOUN (?:atma|atmayın|atmayınız|gönderme|göndermeyin|göndermeyiniz|yazma|yazmayın|yollama|yollamayın)(?: artık| bana)*",
            "(?:artık )?(?:bu )?NOUN(?: almak)? istemiyorum(?: artık)?",
            "(?:beni|numaramı) (?:listeden|listenizden|sistemden) (?:çıkar|çıkarın|çıkarınız|sil|silin|siliniz)",
            "(?:abonelikten|listeden|üyelikten) çıkmak istiyorum",
            "abonelik(?:imi)? iptal(?: et| edin)?",
            "(?:artık |bir daha |lütfen )*(?:bana )?(?:artık |bir daha )?(?:yazmayın|mesaj yazmayın|mesajlaşmayın)(?: artık)?",
            "(?:beni|numaramı) (?:rahatsız etmeyin|silin|listeden silin|listeden çıkar)",
        ],
    ),
    // Russian
    (
        "сообщени[яй]|смс|смски|реклам[ауы]|рассылк[ауи]|спама?|уведомлени[яй]",
        &[
            "(?:больше )?(?:мне )?не (?:присылайте|присылай|отправляйте|отправляй|шлите|шли|пишите|пиши|беспокойте)(?: мне)(?: больше)?(?: ваши| эти| свои)?(?: NOUN)*(?: больше)?",
            "(?:больше )?(?:мне )?не (?:присылайте|присылай|отправляйте|отправляй|шлите|шли)(?: больше)?(?: ваши| эти| свои)?(?: NOUN)+(?: больше)?",
            "больше (?:мне )?не (?:присылайте|пишите|шлите)(?: мне)?",
            "(?:мне )?не (?:пишите|присылайте|шлите) больше(?: мне)?",
            "(?:хватит|перестаньте|перестань|прекратите|прекрати)(?: мне)? (?:писать|присылать|слать|отправлять|спамить|рассылку|рассылки|спам|рекламу)(?: мне)?(?: ваши| эти| свои)?(?: NOUN)*",
            "(?:отпишите|удалите|уберите|исключите|вычеркните) (?:меня|мой номер|мой телефон)(?: из| от)?(?: вашей| этой| вашего)?(?: рассылки| рассылок| базы| списка)?",
            "(?:я )?(?:больше )?не (?:хочу|желаю)(?: больше)? получать(?: больше| ваши| эти| от вас)*(?: NOUN)*",
            "(?:я )?(?:хочу )?(?:отписаться|отказаться) от(?: вашей| этой)? рассылки",
            "отпис[ао]ть(?: меня)? от рассылки",
            "(?:отпишите|удалите|уберите|исключите|вычеркните|удали|убери|отпиши)(?: меня| мой номер)?(?: из| от| с)(?: вашей| этой| вашего| этого)? (?:рассылки|рассылок|базы|списка)",
            "(?:мне )?(?:больше )?(?:не нужна|не нужны|не надо)(?: ваша| ваши| эта| эти| мне| больше| никаких)*(?: NOUN| рассылка| реклама| смсок)+",
            "(?:остановите|отключите|отмените|прекратите|отключить|остановить)(?: мне| эту| вашу| эти| ваши)*(?: NOUN)+",
        ],
    ),
    // Ukrainian
    (
        "повідомлен(?:ня|ь)|смс|реклам[уи]|розсилк[уи]|спаму?",
        &[
            "(?:більше )?(?:мені )?не (?:пишіть|надсилайте|шліть|присилайте|турбуйте)(?: мені)(?: більше)?(?: ваші| ці)?(?: NOUN)*(?: більше)?",
            "(?:більше )?(?:мені )?не (?:надсилайте|шліть|присилайте)(?: більше)?(?: ваші| ці)?(?: NOUN)+(?: більше)?",
            "більше (?:мені )?не (?:пишіть|надсилайте)(?: мені)?",
            "(?:припиніть|досить|перестаньте)(?: мені)? (?:писати|надсилати|слати|присилати|розсилку|спам|рекламу)(?: мені)?(?: NOUN)*",
            "(?:відпишіть|видаліть|приберіть)(?: мене| мій номер)?(?: з| від| зі)(?: вашої| цієї)? (?:розсилки|бази|списку)",
            "(?:зупиніть|вимкніть|припиніть)(?: цю| вашу| ці)*(?: NOUN)+",
            "(?:відпишіть|видаліть|приберіть) (?:мене|мій номер)(?: з| від| зі)?(?: вашої| цієї)?(?: розсилки| бази| списку)?",
            "(?:я )?(?:більше )?не (?:хочу|бажаю)(?: більше)? отримувати(?: більше| ваші| ці| від вас)*(?: NOUN)*",
            "(?:я )?(?:хочу )?(?:відписатися|відписатись|відмовитися) від(?: вашої| цієї)? розсилки",
        ],
    ),
    // Polish
    (
        "wiadomości|sms|smsów|smsy|reklam|reklamy|spamu|ofert|newslettera",
        &[
            "nie (?:wysyłaj|wysyłajcie|przysyłaj|przysyłajcie|ślijcie)(?: do mnie| mi)?(?: więcej| już| tych)*(?: NOUN)+(?: więcej)?",
            "nie (?:pisz|piszcie|wysyłaj|wysyłajcie|przysyłajcie)(?: do mnie| mi)(?: więcej| już)*(?: nic)?",
            "(?:ja )?(?:już )?nie (?:chcę|życzę sobie)(?: już| więcej)*(?: otrzymywać| dostawać)?(?: więcej| od was| waszych| tych)*(?: NOUN)+(?: od was)?",
            "(?:przestań|przestańcie|proszę przestać)(?: do mnie)?(?: mi)? (?:pisać|wysyłać|spamować|przysyłać)(?: do mnie| mi)*(?: NOUN)*",
            "(?:wypisz|wypiszcie|usuń|usuńcie|wykreślcie|proszę wypisać|proszę usunąć) (?:mnie|mój numer)(?: z)?(?: tej| waszej)?(?: listy| bazy| newslettera)?",
            "(?:chcę|chciałbym|chciałabym|proszę) się wypisać(?: z listy| z newslettera)?",
            "(?:proszę )?(?:mnie wypisać|wypisać mnie|o wypisanie|o wypisanie mnie|wypisanie mnie)(?: z)?(?: tej| waszej)?(?: listy| bazy| newslettera)?",
            "(?:proszę )?(?:mnie usunąć|o usunięcie|o usunięcie mnie|o usunięcie mojego numeru)(?: z)(?: tej| waszej)?(?: listy| bazy| newslettera)",
            "(?:proszę )?(?:więcej )?(?:do mnie )?(?:nie pisać|nie wysyłać|nie przysyłać)(?: do mnie| mi| więcej| już)*(?: NOUN)*",
            "(?:koniec|dość)(?: tych| z)?(?: NOUN)+",
        ],
    ),
    // Czech and Slovak
    (
        "zprávy|zpráv|správy|správ|sms|sms ky|reklamu|reklamy|reklam|spam|nabídky|ponuky",
        &[
            "(?:už )?(?:mi )?(?:ne ?posílej|ne ?posílejte|neposielajte|nepište|nepíšte)(?: mi)?(?: už| víc| další| žádné| žiadne| ďalšie)*(?: NOUN)+",
            "(?:už )?(?:mi )(?:neposílejte|nepište|neposielajte|nepíšte)(?: už| víc)*",
            "(?:přestaňte|prestaňte|přestaň)(?: mi)? (?:psát|posílat|písať|posielať|spamovat)(?: mi)?(?: NOUN)*",
            "(?:už )?(?:nechci|nechcem)(?: už| další| vaše| dostávat| dostávať| od vás)*(?: NOUN)+",
            "(?:odhlaste|vymažte|vyřaďte|odstraňte|odhláste|vyraďte) (?:mě|mne|ma|moje číslo)(?: ze| z| od)?(?: vašeho| vašej)?(?: seznamu| databáze| odběru| zoznamu| databázy| odberu)?",
        ],
    ),
    // Romanian
    (
        "mesaj|mesaje|mesajele|sms|sms uri|reclame|reclama|spam|oferte|promoții",
        &[
            "(?:eu )?nu (?:mai )?(?:vreau|doresc)(?: să)?(?: mai)?(?: primesc)?(?: mai)?(?: niciun| aceste| astfel de)*(?: NOUN)+(?: de la voi)?",
            "nu (?:mai )?(?:vreau|doresc) să (?:mai )?primesc(?: nimic)?",
            "nu[- ]?mi (?:mai )?(?:trimiteți|trimite|trimiteti|scrieți|scrie)(?: mai)?(?: niciun)?(?: NOUN)*",
            "nu (?:mai|îmi mai) (?:trimiteți|trimite|scrieți|scrie)(?: mi)?(?: NOUN)*",
            "(?:încetați|opriți|opreste|oprește)(?: să)?(?:[ -]mi)?(?: mai)?(?: trimiteți| trimite)?(?: NOUN)+",
            "(?:ștergeți|scoateți|șterge|scoate|eliminați)(?:[ -]mă| numărul meu)(?: din)?(?: listă| lista| baza de date| această listă)?",
            "(?:vreau |doresc )?(?:să )?(?:mă )?(?:dezabonez|dezabonați|dezabonează|dezabonati ma|dezabonează mă)(?: de la newsletter)?",
        ],
    ),
    // Hungarian
    (
        "üzenet|üzenetet|üzeneteket|üzenetek|sms|sms t|sms ek|reklám|reklámot|reklámokat|hirdetést|hírlevelet|spamet",
        &[
            "(?:köszönöm )?(?:én )?nem (?:kérek|kérem|akarok|szeretnék)(?: már| többé)?(?: több| további| ilyen| a| az)*(?: NOUN)+(?: kapni| többet| önöktől)*",
            "ne (?:küldjenek|küldjön|küldj|küldjetek|írjanak|írjon|írj|írjatok)(?: nekem)?(?: több| további| már)*(?: NOUN)*(?: többet| többé| nekem)*",
            "(?:töröljenek|törölje|töröljetek|vegyenek le|vegyen le|vegyetek le)(?: engem| a számomat| a telefonszámomat)?(?: a listáról| az adatbázisból| a listából)?",
            "(?:le (?:szeretnék|akarok) iratkozni|leiratkozni szeretnék|szeretnék leiratkozni)",
            "hagyják abba(?: az)?(?: NOUN| üzenetküldést| írást)+",
        ],
    ),
    // Croatian, Serbian, Bosnian and Slovenian, in both scripts
    (
        "poruke|poruka|poruku|sms|sms ove|reklame|reklama|oglase|spam|obavijesti|obaveštenja|sporočil|поруке|порука|рекламе",
        &[
            "(?:ja )?(?:više )?(?:ne želim|neželim|neću|nećemo|ne zelim|necu)(?: više| primati| da primam| vaše| ove| dobivati| dobijati| od vas)*(?: NOUN)+(?: više| od vas)*",
            "(?:više )?(?:nemojte|nemoj|prestanite|prestani)(?: mi)?(?: više)?(?: slati| pisati| da šaljete| da pišete| sa slanjem)(?: mi)?(?: više)?(?: NOUN)*",
            "(?:više )?(?:ne šaljite|ne salji|ne šalji|ne pišite|ne piši)(?: mi)(?: više| vaše| ove)*(?: NOUN)*",
            "(?:odjavite|odjavi|ispišite|uklonite|maknite|obrišite|izbrišite|skinite) (?:me|moj broj)(?: sa| s| iz)?(?: vaše| ove)?(?: liste| popisa| baze| evidencije)?",
            "želim se (?:odjaviti|ispisati)(?: s liste| sa liste| s popisa)?",
            "ne želim (?:več )?(?:prejemati )?(?:vaših )?(?:NOUN)",
            "(?:не желим|нећу)(?: више| да примам| ваше)*(?: NOUN)+",
            "(?:престаните|немојте)(?: да)?(?: ми)?(?: више)?(?: шаљете| слати| пишете)(?: NOUN)*",
        ],
    ),
    // Bulgarian and Macedonian
    (
        "съобщения|смс|реклами|спам|пораки|реклама",
        &[
            "(?:вече )?не (?:искам|желая)(?: повече| да получавам| ваши| вашите| тези)*(?: NOUN)+(?: повече)?",
            "(?:моля )?(?:не ми|спрете да ми|престанете да ми) (?:пишете|изпращайте|пращайте|изпращате|пращате)(?: повече)?(?: NOUN)*",
            "(?:махнете|изтрийте|премахнете|отпишете) (?:ме|номера ми)(?: от)?(?: вашия| този)?(?: списъка| списък| базата)?",
            "(?:не сакам|не сакам повеќе)(?: NOUN)+",
        ],
    ),
    // Greek
    (
        "μηνύματα|μήνυμα|sms|διαφημίσεις|διαφήμιση|διαφημιστικά|προσφορές",
        &[
            "(?:παρακαλώ )?(?:δεν θέλω|δε θέλω|δεν επιθυμώ)(?: πια| άλλα| να λαμβάνω| να παίρνω| τα| αυτά τα)*(?: NOUN)+(?: πια| σας)*",
            "(?:μη|μην) (?:μου )?(?:στέλνετε|στέλνεις|στείλετε|ξαναστείλετε|γράφετε)(?: άλλα| πια)*(?: NOUN)*(?: πια)?",
            "(?:σταματήστε|σταμάτα|σταμάτησε)(?: να)? (?:μου )?(?:στέλνετε|στέλνεις|γράφετε)(?: NOUN)*",
            "(?:σταματήστε)(?: τα| αυτά τα)*(?: NOUN)+",
            "(?:διαγράψτε|βγάλτε|αφαιρέστε) (?:με|τον αριθμό μου|το νούμερό μου)(?: από)?(?: τη| την)?(?: λίστα)?(?: σας)?",
        ],
    ),
    // Swedish, Norwegian and Danish
    (
        "meddelanden|meddelande|meldinger|melding|beskeder|besked|sms|sms er|reklam|reklame|reklamer|spam|utskick|erbjudanden|nyhetsbrev",
        &[
            "(?:snälla )?(?:sluta|slut|slutt|stop|stopp|stoppa)(?: med)?(?: att| å| at)? (?:skicka|skriva|sms a|spamma|sende|skrive|sms e|spamme|sms|sende mig|skicka till mig|kontakta|kontakte)(?: mig| meg| till mig| til meg| til mig)?(?: fler| flera| flere| dessa| disse| de här)*(?: NOUN)*(?: till mig| til meg| til mig)?",
            "(?:skicka|skriv|send|kontakta|kontakt)(?: mig| meg| til mig)? (?:inte|inga|ikke|ikkje)(?: fler| flera| flere| mer| mere)*(?: NOUN| till mig| til meg| til mig| mer| mere| längre| igjen| igen)+",
            "(?:jag vill|jeg vil|jeg ønsker|jag önskar) (?:inte|inte ha|inte få|ikke|ikke ha|ikke have|ikke motta|ikke modtage)(?: ha| få| längre| lenger| længere| motta| modtage| fler| flera| flere| mer| mere| några| noen| nogen)*(?: NOUN)+(?: från er| fra dere| fra jer| mer| mere)*",
            "(?:inga|ingen|ikke|ikke flere|inga fler)(?: fler| flera| flere| mer| mere)*(?: NOUN)+(?: tack| takk| tak)?",
            "(?:ta bort|fjern|slett|slet|avregistrera|avmeld|afmeld|radera|stryk) (?:mig|meg|mitt nummer|mitt nr|nummeret mitt|mit nummer)(?: från| fra)?(?: er| denna| listan| listen| lista| deres| jeres| denne)*",
            "(?:jag vill|jeg vil|jeg ønsker å|jeg ønsker at) (?:avregistrera mig|avregistreras|melde meg av|afmelde mig|avmelde meg|framelde mig)",
        ],
    ),
    // Finnish and Estonian
    (
        "viestejä|viestiä|viestit|tekstiviestejä|mainoksia|mainontaa|roskapostia|sõnumeid|reklaami|sms",
        &[
            "(?:en halua|en tahdo)(?: enää| saada| vastaanottaa| teidän| näitä)*(?: NOUN)+(?: enää| teiltä)*",
            "(?:lopeta|lopettakaa|älä|älkää)(?: enää)? (?:lähettäkö|lähetä|lähettämästä|lähettäminen|viestittely|laittako|laita)(?: minulle)?(?: enää)?(?: näitä| lisää)*(?: NOUN)*(?: enää)?",
            "(?:poista|poistakaa) (?:minut|numeroni)(?: listalta| listaltanne| rekisteristä| rekisteristänne)?",
            "(?:ma )?ei soovi(?: enam| saada| teie)*(?: NOUN)+",
            "(?:ärge|ära) (?:saatke|saada)(?: mulle)?(?: enam| rohkem)*(?: NOUN)*",
        ],
    ),
    // Arabic
    (
        "رسائل|الرسائل|رسائلكم|رساله|رسالة|اعلانات|الاعلانات|اعلاناتكم|عروض|العروض",
        &[
            "(?:ارجو |رجاء )?(?:توقف|توقفوا|التوقف|اوقف|اوقفوا|ايقاف|وقف|كف|كفوا) ?(?:عن)?(?: ارسال| الارسال| مراسلتي| بعث)?(?: هذه| لي| الي)*(?: NOUN)*(?: لي| الي)?",
            "لا (?:ترسل|ترسلوا|تبعث|تبعثوا)(?: لي| الي| اي| مزيد من| المزيد من| هذه)*(?: NOUN)+(?: بعد الان| مره اخري| مرة اخرى| ابدا)*",
            "لا (?:تراسلني|تراسلوني|تكتب لي|تكتبوا لي)(?: بعد الان| مرة اخرى| ابدا)*",
            "(?:انا )?(?:لا|لم اعد|ما) (?:اريد|ارغب في|ارغب|ابي|ابغي|ابغى|بدي)(?: استلام| استقبال| تلقي| اي| المزيد من| هذه| مزيد من)*(?: NOUN)+(?: منكم)?",
            "(?:مش|مو) (?:عايز|عايزه|عاوز|حابب)(?: اي)?(?: NOUN)+(?: تاني)?",
            "(?:احذف|احذفوا|ازل|ازيلوا|امسح|امسحوا)(?: رقمي)(?: من)?(?: القائمة| قائمتكم)?",
            "(?:احذفني|احذفوني|ازيلوني|شيلوني)(?: من)?(?: القائمة| قائمتكم)?",
            "(?:ارجو |رجاء )?(?:احذفوني|احذفني|شيلني|شيلوني|ازلني)(?: من)(?: هذه)? (?:القائمة|القايمة|اللستة)",
            "(?:لا تراسلني|لا تراسلوني|بطلوا رسائل|بطل رسائل|بطلوا ترسلون)(?: تاني| مره ثانيه| بعد اليوم)*",
            "(?:اريد )?(?:الغاء|الغي|الغوا)(?: ال)? ?(?:اشتراكي|اشتراك|الاشتراك)",
        ],
    ),
    // Persian
    (
        "پیام|پیامک|پیام ها|پیامی|اس ام اس|تبلیغ|تبلیغات",
        &[
            "(?:دیگر |دیگه )?(?:به من |برای من |برام )?(?:دیگر |دیگه )?NOUN(?: به من| برای من| برام| دیگر| دیگه)* (?:نفرستید|نفرست|نفرستین|ندهید|نده|ندین)(?: دیگه)?",
            "(?:من )?(?:دیگر |دیگه )?(?:نمی ?خواهم|نمی ?خوام)(?: دیگر| دیگه)?(?: NOUN)+(?: دریافت کنم| بگیرم)?",
            "(?:من )?(?:دیگر |دیگه )?NOUN (?:نمی ?خواهم|نمی ?خوام)",
            "(?:منو|مرا|من را|شماره من را|شماره ام را|شمارمو)(?: از)?(?: این)?(?: لیست| لیستتون)?(?: حذف| پاک) (?:کنید|کن|کنین)",
            "(?:ارسال )?NOUN را (?:متوقف|قطع) کنید",
        ],
    ),
    // Hebrew
    (
        "הודעות|הודעה|פרסומות|פרסומת|ספאם|סמסים",
        &[
            "(?:די |בבקשה )?(?:תפסיקו|תפסיק|תפסיקי|להפסיק|הפסיקו|די)(?: כבר)? (?:לשלוח|לסמס|להציק|לכתוב)(?: לי)?(?: NOUN)*",
            "(?:אל|לא) (?:תשלח|תשלחו|תשלחי|לשלוח)(?: לי)?(?: יותר| עוד)*(?: NOUN)+(?: יותר)?",
            "(?:אל|לא) (?:תשלח|תשלחו|תשלחי|לשלוח)(?: לי)(?: יותר)",
            "(?:תסירו|תסיר|הסירו|הסר|להסיר|תורידו|הורידו|תמחקו|מחקו) (?:אותי|את המספר שלי|את מספרי)(?: מהרשימה| מרשימת התפוצה| מהתפוצה| מהדיוור)?",
            "(?:אני )?לא (?:רוצה|מעוניין|מעוניינת)(?: יותר)?(?: לקבל| בקבלת)?(?: יותר| עוד)*(?: NOUN)+(?: יותר| מכם)*",
        ],
    ),
    // Hindi, also in Latin letters
    (
        "मैसेज|मेसेज|संदेश|एसएमएस|विज्ञापन|message|messages|msg|sms",
        &[
            "(?:मुझे |हमें |और |अब |आगे से )*NOUN(?: मत| न| ना)(?: भेजो| भेजें| भेजिए| भेजना| करो| करें)(?: मुझे)?",
            "(?:मुझे )?NOUN(?: भेजना)? (?:बंद|बन्द) (?:करो|करें|कीजिए|करिए|कर दो|कर दें|कर दीजिए)",
            "(?:मुझे )?(?:और |ये )?NOUN नहीं चाहिए",
            "(?:mujhe |muje |aur |ab )*NOUN (?:mat|na|nahi) (?:bhejo|bheje|bhejna|karo|kare|karna|kro)",
            "(?:mujhe )?NOUN(?: bhejna| karna)? band (?:karo|kare|karein|kro|kar do|kijiye)",
        ],
    ),
    // Bengali
    (
        "মেসেজ|ম্যাসেজ|এসএমএস|বার্তা",
        &[
            "(?:আমাকে |আর )*NOUN(?: আর)? (?:দিবেন না|দেবেন না|পাঠাবেন না|দিয়েন না|দিও না|পাঠিও না)",
            "(?:আমাকে )?NOUN(?: পাঠানো| দেওয়া)? বন্ধ (?:করুন|করো|কর|করেন)",
        ],
    ),
    // Indonesian and Malay
    (
        "pesan|pesanan spam|sms|wa|chat|promosi|promo|iklan|spam|mesej|broadcast",
        &[
            "(?:saya )?(?:jangan|stop|berhenti|setop|hentikan)(?: lagi)? (?:kirim|mengirim|kirimi|kirimkan|hantar|menghantar)(?: saya| aku| kami| lagi| ke saya| kepada saya)*(?: NOUN)+(?: saya| ke saya| kepada saya| lagi| ini)*",
            "jangan (?:hubungi|kirimi|ganggu|wa|chat|sms) (?:saya|aku|kami)(?: lagi)?",
            "jangan (?:kirim|hantar)(?: saya| aku| ke saya| kepada saya)? lagi",
            "(?:saya )?(?:tidak|tak|nggak|gak) (?:mau|ingin|nak)(?: lagi)? (?:menerima|terima|dapat)(?: lagi)?(?: NOUN)+(?: lagi| ini| dari anda)*",
            "(?:hapus|keluarkan|padam|buang) (?:nomor saya|nombor saya|saya)(?: dari)?(?: daftar| senarai| list)?",
            "(?:hentikan|stop)(?: NOUN)+(?: ini)?",
            "(?:stop|berhenti|setop|jangan) (?:kirim|mengirim|kirimi|kirimin|hantar|menghantar|chat|wa|sms|hubungi)(?: saya| aku| lagi| ke saya| ke sini)*",
            "(?:saya |aku )?(?:mau|ingin|nak) (?:berhenti|berhenti langganan|berhenti berlangganan|keluar dari daftar|unsubscribe)",
            "(?:saya |aku )?(?:tidak|tak|nggak|gak|ga) (?:mau|ingin|nak) (?:di|dikirimi|dihubungi)(?: wa| sms| chat)?(?: NOUN)*(?: lagi)?",
        ],
    ),
    // Vietnamese: sentences are long enough to be understood without their accents.
    (
        "tin nhắn|tin|quảng cáo|spam|sms",
        &[
            "(?:xin )?(?:dừng|ngừng|đừng) (?:gửi|nhắn)(?: cho tôi| cho em| thêm)*(?: NOUN)+(?: cho tôi| nữa| này)*",
            "đừng nhắn tin(?: cho tôi| cho em| nữa)+",
            "(?:tôi )?không (?:muốn )?nhận(?: thêm)?(?: NOUN)+(?: nữa| này)*",
            "(?:tôi muốn )?(?:hủy|huỷ) đăng ký(?: nhận)?(?: NOUN)*",
        ],
    ),
    // Swahili
    (
        "ujumbe|jumbe|meseji|sms|matangazo",
        &[
            "(?:acha|acheni|wacha) (?:kunitumia|kutuma|kutumia)(?: mimi)?(?: NOUN)+(?: tena)?",
            "(?:usinitumie|msinitumie)(?: tena)?(?: NOUN)+(?: tena)?",
            "(?:sitaki|sihitaji)(?: kupokea)?(?: NOUN)+(?: zenu| tena)*",
        ],
    ),
    // Tagalog
    (
        "mensahe|message|messages|text|texts|sms|promo",
        &[
            "(?:itigil|tigilan|ihinto|huwag|wag)(?: na| nyo| ninyo| mo| po| ang| akong| ako| kayong)*(?: mag ?send| magpadala| pagpapadala| pag ?send| padalhan| i ?text| pag ?text)(?: na| ng| sa| akin| ako| mga| po)*(?: NOUN)*",
            "ayoko? na(?: po)?(?: makatanggap| tumanggap)?(?: ng| mga| na)*(?: NOUN)+",
        ],
    ),
];

/// Thai, Chinese, Japanese and Korean, whose spaces are taken out before.
const WITHOUT_SPACES: &[&str] = &[
    "(?:ช่วย|โปรด)?(?:หยุด|เลิก|อย่า|ห้าม)ส่ง(?:ข้อความ|ข่าวสาร|โฆษณา|โปรโมชั่น|sms|มาอีก|มา|ให้ฉัน|ให้ผม|หาผม|หาฉัน|อีก|แล้ว|นะ|ได้แล้ว)+(?:ครับ|ค่ะ|คะ)?",
    "(?:ฉัน|ผม)?ไม่(?:ต้องการ|อยาก|ขอ)?รับ(?:ข้อความ|ข่าวสาร|โฆษณา|โปรโมชั่น|sms)(?:อีก|แล้ว|จากคุณ)*(?:ครับ|ค่ะ|คะ)?",
    "(?:ยกเลิก|หยุด|หยุดส่ง|เลิกติดตาม)(?:ครับ|ค่ะ|คะ|นะครับ|นะคะ)",
    "(?:请|請|麻烦|麻煩)?(?:不要|别|別|停止|勿)再?(?:给我|給我|向我)?再?(?:发送|發送|发|發|推送|传|傳)(?:给我|給我)?(?:任何|这些|這些|垃圾)?(?:短信|信息|消息|广告|廣告|简讯|簡訊|讯息|訊息)(?:给我|給我|了)*",
    "(?:请|請)?(?:不要|别|別)再(?:给我|給我)?(?:发|發|传|傳)(?:了|给我|給我)*",
    "(?:请|請)?(?:不要|别|別)再?(?:骚扰|騷擾|打扰|打擾)我(?:了)?",
    "(?:请|請|拜託|拜托)?(?:停止|不要|别|別|勿)再?(?:发送|發送|发|發|传送|傳送|传|傳|寄)(?:给我|給我|了|讯息|訊息)*",
    "(?:请|請)?(?:不要|别|別)再?(?:联系|聯絡|聯繫|打扰|打擾)(?:我)(?:了)?",
    "(?:请|請)?(?:把我|将我|將我)?(?:从|從)?(?:名单|名單|列表)(?:中|里|裡|裏)?(?:移除|删除|刪除|删掉|刪掉)",
    "(?:请|請)?(?:删除|刪除|移除)我的?(?:号码|號碼|电话|電話)",
    "我?不(?:想|要|愿|願)再?(?:收到|接收|收)(?:你们|你們|您|你)?的?(?:任何)?(?:短信|信息|消息|广告|廣告|简讯|簡訊|讯息|訊息)(?:了)?",
    "(?:请|請|我要|我想)?(?:退订|退訂|取消订阅|取消訂閱)(?:短信|信息|消息|广告|廣告|服务|服務)?(?:谢谢|謝謝)?",
    "(?:もう)?(?:メッセージ|メール|広告|宣伝|配信)(?:の配信)?(?:を|は)?(?:もう)?(?:送らないで|送ってこないで|送信しないで|しないで|止めて|やめて|停止して|停止|不要です|いりません)(?:ください|下さい|もらえますか|お願いします)?",
    "(?:もう|二度と|これ以上)*(?:送らないで|送ってこないで|連絡しないで|配信しないで|送信しないで|連絡してこないで)(?:ください|下さい|くれ|ほしい|欲しい|ね|よ)*",
    "(?:もう)?(?:メッセージ|メール|広告|宣伝|配信|連絡)(?:は|を)?(?:いらない|要らない|いりません|不要|受け取りたくない|受け取りたくありません|欲しくない|ほしくない)(?:です)?",
    "(?:私を)?(?:リスト|名簿)から(?:外して|削除して|消して|はずして)(?:ください|下さい)?",
    "(?:配信|購読|登録)(?:を)?(?:停止|解除|キャンセル|やめて|止めて)(?:して|してください|お願いします|希望|希望します|を希望します|ください|下さい)?",
    "(?:제발)?(?:이제)?(?:더이상)?(?:이런)?(?:문자|메시지|메세지|광고|카톡)(?:를|을|는|은|좀)?(?:더이상|다시는|그만)*(?:보내지마세요|보내지마|보내지말아주세요|보내지마십시오|그만보내세요|그만보내주세요|보내세요그만|그만|사절)(?:요)?",
    "(?:더이상|다시는|이제)?(?:그만보내세요|그만보내주세요|그만보내|연락하지마세요|연락하지마|보내지마세요)",
    "(?:제)?(?:번호|연락처)(?:를|을|좀)?(?:삭제|지워)(?:해주세요|해줘|주세요|줘|해주십시오)",
    "(?:문자|메시지|메세지|광고|카톡)(?:를|을|는|은)?(?:받고싶지않아요|받고싶지않습니다|안받을래요|받기싫어요|원하지않습니다|원하지않아요|필요없어요|필요없습니다)",
    "(?:목록|리스트|명단)에서(?:빼|제외|삭제)(?:해)?(?:주세요|줘|주십시오)",
    "(?:문자|광고|메시지)?수신거부(?:합니다|할게요|해주세요|요청|요청합니다|부탁드립니다|부탁드려요|요)?",
    "(?:중지|구독취소|수신중지|수신거부)(?:해주세요|부탁드립니다|요청|합니다|요)",
];
