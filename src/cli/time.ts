/** '14:02:11 UTC' today, with the date on other days. */
export function timeOf(iso: string, now: number): string {
  const today = new Date(now).toISOString().slice(0, 10);
  const [date = '', time = ''] = iso.split('T');
  return date === today ? `${time.slice(0, 8)} UTC` : `${date} ${time.slice(0, 5)} UTC`;
}
