// Writes moments in the reader's own time; without it they stay in UTC.
const page = document.documentElement.lang;
// The reader's own kind of the page's language, such as Austria's German.
const language = navigator.language.startsWith(page) ? navigator.language : page;
const time = new Intl.DateTimeFormat(language, { timeStyle: 'medium' });
const both = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' });
const today = new Date().toDateString();
for (const element of document.querySelectorAll('time[datetime]')) {
  const moment = new Date(element.dateTime);
  element.textContent = (moment.toDateString() === today ? time : both).format(moment);
}
