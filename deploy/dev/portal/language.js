// The portal's own texts, in the language that the reader chose. Labels of the forms come from the service.

import { texts as cy } from "./cy.js";
import { texts as en } from "./en.js";

const KEY = "cpd-portal-language";
const LANGUAGES = { en, cy };

/** The texts of the language that is read now; a live binding. */
export let t = LANGUAGES[localStorage.getItem(KEY)] ?? en;

/** Read on in another language. */
export function chooseLanguage(code) {
  t = LANGUAGES[code];
  localStorage.setItem(KEY, code);
}

/** The other languages there are. */
export const otherLanguages = () => Object.values(LANGUAGES).filter((language) => language !== t);
