// Writes moments in the reader's own time; without it they stay in UTC.
const page = document.documentElement.lang;
// The reader's own kind of the page's language, such as Austria's German.
const language = navigator.language.startsWith(page) ? navigator.language : page;
const format = (options) => new Intl.DateTimeFormat(language, options);
const clock = { hour: '2-digit', minute: '2-digit' };
const time = format({ timeStyle: 'medium' });
const both = format({ dateStyle: 'medium', timeStyle: 'short' });
const near = { today: format(clock), week: format({ weekday: 'long', ...clock }) };
const far = format({ day: 'numeric', month: 'long', ...clock });
// A day or a month has no time zone.
const named = {
  day: format({ dateStyle: 'long', timeZone: 'UTC' }),
  month: format({ month: 'long', year: 'numeric', timeZone: 'UTC' }),
};
const MIDNIGHT = new Date(2000, 0, 1);
const SIX_DAYS = 6 * 86_400_000;

function written(moment, style) {
  const isToday = () => moment.toDateString() === new Date().toDateString();
  if (style in named) return named[style].format(moment);
  if (style !== 'near') return (isToday() ? time : both).format(moment);
  // What ends at midnight ends with the last minute of the day before.
  if (near.today.format(moment) === near.today.format(MIDNIGHT)) moment = new Date(moment - 60_000);
  const isNear = Math.abs(moment - Date.now()) < SIX_DAYS;
  return (isToday() ? near.today : isNear ? near.week : far).format(moment);
}

function write() {
  for (const element of document.querySelectorAll('time[datetime]')) {
    const moment = new Date(element.dateTime);
    element.textContent = written(moment, element.dataset.style);
    const word = element.previousElementSibling;
    if (word?.dataset.past && moment <= Date.now()) word.textContent = word.dataset.past;
  }
}

write();
addEventListener('times', write);
