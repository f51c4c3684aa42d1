// Where we read otherwise than Google's library, and why. One that no text of the corpus shows any more fails the
// test.

/** A list, a link, a spreadsheet or a program has put something around the number. */
const DEBRIS = [
  'wa.me link',
  'send link',
  'decimals of a float',
  'decimals in a link',
  'decimals twice',
  'bare float',
  'national float',
];
/** Digits stand beside the number that are no part of it. */
const BESIDE = ['count in brackets', 'count behind a dash', 'digit apart', 'label and index', 'index in brackets', 'index of a list'];

export const DIFFERENCES = [
  {
    spellings: DEBRIS,
    we: 'read',
    why: "Google's library reads what people dial. It finds no number in a link, and takes the decimals of 919876543210.0 for digits: the number of somebody else.",
  },
  {
    spellings: BESIDE,
    we: 'refuse',
    why: "Google's library takes what stands beside the number for digits of it: the number of somebody else.",
  },
  {
    spellings: ['Devanagari digits', 'national, Bengali digits', 'national, Thai digits'],
    we: 'read',
    why: "Google's library in JavaScript knows the digits of ASCII, Arabic, Persian and the full width; those in Java and C++ know all scripts.",
  },
  {
    spellings: ['bare digits', 'apostrophe', 'formula'],
    homes: [''],
    we: 'read',
    why: 'Without a home Google wants a plus. Programs and lists leave it out, so digits are read as they stand.',
  },
  {
    spellings: ['bare digits', 'apostrophe', 'formula'],
    regions: ['DE', 'ID', 'XK'],
    we: 'read',
    why: 'Landlines there may be so long that a mobile with its country code is one as well. A landline would have its 0, so it is the mobile.',
  },
  {
    spellings: ['double zero'],
    we: 'read',
    why: 'Two zeros are a plus in lists everywhere, also where one dials something else for abroad, and where no home is said.',
  },
  {
    spellings: ['double zero'],
    regions: ['GN', 'TJ'],
    homes: ['BR'],
    we: 'refuse',
    why: 'Brazil dials a carrier behind the two zeros, and what follows it is a valid number too.',
  },
  {
    spellings: ['zero in brackets'],
    we: 'read',
    why: 'People write (0) behind the code of countries as well in which nobody dials it. Where the number is none with it, it is left out.',
  },
  {
    spellings: ['zero in brackets'],
    regions: ['AC', 'IT', 'VA'],
    we: 'refuse',
    why: 'There numbers may begin with 0, and this one is valid with it and without.',
  },
];
