// Mobile numbers of every country, and the ways in which people and programs write them.

import lib from 'google-libphonenumber';

const { PhoneNumberFormat: Format, PhoneNumberType: Type, PhoneNumberUtil } = lib;
const google = PhoneNumberUtil.getInstance();

/** Numbers of each country: Google's example, and some that differ from it in their last digits. */
const OTHERS = 4;

/** What Google reads: the digits of a valid number, or nothing. */
export function googleReads(text, home) {
  try {
    const number = google.parse(text, home || undefined);
    return google.isValidNumber(number) ? google.format(number, Format.E164).slice(1) : null;
  } catch {
    return null;
  }
}

function* mobiles(region) {
  const example = google.getExampleNumberForType(region, Type.MOBILE);
  if (!example) return;
  const digits = google.format(example, Format.E164).slice(1);
  const seen = new Set();
  for (let other = 0; seen.size <= OTHERS && other < 100; other += 1) {
    const end = String((Number(digits.slice(-3)) + other * 137) % 1000).padStart(3, '0');
    const number = googleReads(`+${digits.slice(0, -3)}${end}`, '');
    if (number && !seen.has(number)) {
      seen.add(number);
      yield number;
    }
  }
}

const SCRIPTS = { arabic: 0x660, persian: 0x6f0, devanagari: 0x966, bengali: 0x9e6, thai: 0xe50, wide: 0xff10 };
const inScript = (text, zero) => text.replace(/[0-9]/g, (digit) => String.fromCodePoint(zero + Number(digit)));
const wide = (text) => text.replace(/[!-~]/g, (c) => String.fromCodePoint(c.codePointAt(0) + 0xfee0)).replaceAll(' ', '　');

/** By name: with the country code, so that no home is needed and none may change it. */
const INTERNATIONAL = {
  'plus and digits': ({ digits }) => `+${digits}`,
  'plus and groups': ({ international }) => international,
  'double zero': ({ digits }) => `00${digits}`,
  'code in brackets': ({ code, rest }) => `(+${code}) ${rest}`,
  dots: ({ international }) => international.replace(/[ -]/g, '.'),
  'Arabic digits': ({ international }) => inScript(international, SCRIPTS.arabic),
  'Devanagari digits': ({ international }) => inScript(international, SCRIPTS.devanagari),
  'full width': ({ international }) => wide(international),
  'marks of direction': ({ international }) => `\u202a${international}\u202c`,
  'tel link': ({ uri }) => uri,
  'national behind the code': ({ code, national }) => `+${code} ${national}`,
  'zero in brackets': ({ code, rest }) => `+${code} (0) ${rest}`,
  'wa.me link': ({ digits }) => `https://wa.me/${digits}?text=Room%2012`,
  'send link': ({ digits }) => `https://api.whatsapp.com/send?phone=%2B${digits}`,
  'lead prefix': ({ digits }) => `p:+${digits}`,
  'decimals of a float': ({ digits }) => `+${digits}.0`,
  'decimals in a link': ({ digits }) => `https://wa.me/${digits}.0`,
  'decimals twice': ({ digits }) => `+${digits}.0,0`,
  'count in brackets': ({ international }) => `${international} (2)`,
  'count in a link': ({ digits }) => `https://wa.me/${digits}%20(2)`,
  'count behind a dash': ({ international }) => `${international} - 2`,
  'digit apart': ({ international }) => `${international} 2`,
};
/** As they stand: of their own country or of none said. */
const BARE = {
  'bare digits': ({ digits }) => digits,
  'apostrophe': ({ digits }) => `'${digits}`,
  'formula': ({ digits }) => `="${digits}"`,
  'bare float': ({ digits }) => `${digits}.00`,
};
/** Within the number's own country. */
const NATIONAL = {
  national: ({ national }) => national,
  'national digits': ({ national }) => national.replace(/\D/g, ''),
  'without trunk prefix': ({ rest }) => rest,
  'national, Persian digits': ({ national }) => inScript(national, SCRIPTS.persian),
  'national, Bengali digits': ({ national }) => inScript(national, SCRIPTS.bengali),
  'national, Thai digits': ({ national }) => inScript(national, SCRIPTS.thai),
  'national, full width': ({ national }) => wide(national),
  'national, slash': ({ national }) => national.replace(/^(\d{2,5})[ -]/, '$1/'),
  'national float': ({ rest }) => `${rest}.0`,
  'national, label': ({ national }) => `Mobile: ${national}`,
  'label and index': ({ rest }) => `Mobile 1 ${rest}`,
  'index in brackets': ({ rest }) => `(1) ${rest}`,
  'index of a list': ({ rest }) => `1. ${rest}`,
  'national, quotes': ({ national }) => `’${national}’`,
  'national, no-break spaces': ({ national }) => national.replaceAll(' ', '\u00a0'),
};
/** Homes of somebody else. */
const FOREIGN = ['BR', 'IN', 'US', 'DE', 'IT', 'JP'];

/** Every text with its home, the name of its spelling, and whose number it is. */
export function corpus() {
  const rows = [];
  for (const region of google.getSupportedRegions().sort()) {
    for (const digits of mobiles(region)) {
      const number = google.parse(`+${digits}`);
      const code = String(number.getCountryCode());
      const forms = {
        digits,
        code,
        rest: digits.slice(code.length),
        international: google.format(number, Format.INTERNATIONAL),
        national: google.format(number, Format.NATIONAL),
        uri: google.format(number, Format.RFC3966),
      };
      const add = (spellings, homes) => {
        for (const [spelling, write] of Object.entries(spellings)) {
          for (const home of homes) rows.push({ region, digits, spelling, home, text: write(forms) });
        }
      };
      add(INTERNATIONAL, ['', region, ...FOREIGN]);
      add(BARE, ['', region]);
      add(NATIONAL, [region]);
    }
  }
  return rows;
}
