#include "dsn/shipped_wordings.h"

namespace postern::dsn {

const std::string_view english_template = R"(# The words of Postern's reports, in English.
#
# Copy this file to the directory that [reports] templates names, as en.txt, and change what you
# like; a section that you remove has the words that are shipped. `postern check` tells what is
# wrong with it, `postern reports preview --template en.txt` shows a report in its words.
#
# The lines of a paragraph are joined and wrapped. An empty line ends a paragraph; a line that
# starts with a space stays a line of its own. {{ is a brace. What is told of a recipient may be
# given for one status or one class of them (RFC 3463): [advice.5.1.1], [advice.5.1],
# [cause.refused.5.7], [cause.local.4.4.1].
#
# Of the message: {hostname} (this server), {postmaster} (whom to ask), {sender}, {id} (in our
# queue and log), {arrived}. Of a recipient: {hostname} {remote} (the server that we spoke to),
# {reply} (what it said), {reason} (ours when it said nothing), {status}, {retry_until},
# {last_attempt}. Of several recipients: {count}.

[subject.failed]
Undelivered Mail Returned to Sender

[subject.delayed]
Delayed Mail (still being retried)

[subject.delivered]
Successful Mail Delivery Report

[subject.postmaster]
Postmaster Copy: Undeliverable Mail

# The report as a whole. {recipients} is where the recipients are listed, with what happened to
# them.

[failed]
This is the mail system at host {hostname}.

I'm sorry to have to inform you that your message could not be delivered to one or more
recipients. They are listed below with the reason. We do not try these again: correct what the
reason says and send the message anew.

{recipients}

If you need help, write to {postmaster} and include this report.

[delayed]
This is the mail system at host {hostname}.

THIS IS A WARNING ONLY. You do not need to send your message again.

Your message could not be delivered yet to the recipients listed below. We keep trying, and tell
you if we have to give up.

{recipients}

If you need help, write to {postmaster} and include this report.

[delivered]
This is the mail system at host {hostname}.

Your message was handed on as described below. You receive this report because you asked for one.

{recipients}

If you need help, write to {postmaster} and include this report.

[postmaster]
This is the mail system at host {hostname}.

A message from {sender} could not be delivered, and its sender cannot be told: it has no return
address (it may be a report itself), or the report about it could not be delivered. You receive
this copy because you are the postmaster. It is {id} in the log, arrived {arrived}.

{recipients}

Nobody else hears of this.

# Recipients with the same fate are listed together when they are many. "alike": the same kind of
# reason, not the same words.

[group.many]
{count} recipients, all for the same reason:

[group.alike]
{count} recipients, for reasons of the same kind, such as:

[group.more]
And {count} more recipients. The part of this report for programs lists all of them.

# What happened. "refused": the other server said so. "local": it could not be asked. "expired"
# stands before either.

[cause.expired]
We tried for as long as we keep mail, and gave up. At the last attempt:

[cause.refused]
The server {remote} said: {reply}

[cause.local]
{reason}

[cause.delayed]
We keep trying until {retry_until}.

[cause.delivered]
Delivered to the recipient's mailbox.

[cause.relayed]
Handed to {remote}, which does not send delivery reports: no further report will come.

[cause.expanded]
Delivered to the recipient's list, and sent on to its members. No further report will come.

# What to do about it.

[advice.expired]
The recipient's server may be down or unreachable. Try again later, or reach the recipient another
way.

[advice.5.1]
Check the address for typing errors.

[advice.5.1.2]
Check what stands behind the @ for typing errors: no mail server is known for this name.

[advice.5.1.10]
This domain says that it takes no mail at all. Ask the recipient for another address.

[advice.5.1.8]
Your own address was not accepted. Ask the administrator of your mail server.

[advice.5.1.7]
Your own address was not accepted. Ask the administrator of your mail server.

[advice.5.2.1]
The recipient's mailbox exists and takes no mail now. Reach the recipient another way.

[advice.5.2.2]
The recipient's mailbox is full. Try again later, or reach the recipient another way.

[advice.5.2.3]
The message is larger than this recipient accepts. Send a smaller one, or put large attachments
elsewhere.

[advice.5.3.4]
The message is larger than this server accepts. Send a smaller one, or put large attachments
elsewhere.

[advice.5.4]
This is a fault of the mail servers, not of yours. Tell the address below.

[advice.5.4.4]
Check what stands behind the @ for typing errors: no mail server is known for this name.

[advice.5.6]
The server could not handle the form of the message. Send it as plain text, or without the
attachment.

[advice.5.7]
The recipient's server does not accept this message, by its own rules. Ask its administrator, or
reach the recipient another way.
)";

const std::string_view german_template = R"(# Die Texte der Berichte von Postern, auf Deutsch.
#
# Als de.txt in das Verzeichnis kopieren, das [reports] templates nennt, und ändern, was anders
# lauten soll; ein entfernter Abschnitt hat den mitgelieferten Text. `postern check` sagt, was
# daran falsch ist, `postern reports preview --template de.txt` zeigt einen Bericht. Die Regeln
# stehen in der englischen Vorlage: `postern reports template en`.

[subject.failed]
Unzustellbar: Ihre Nachricht kommt zurück

[subject.delayed]
Verzögert: Ihre Nachricht ist noch unterwegs

[subject.delivered]
Zugestellt: Ihre Nachricht wurde übergeben

[subject.postmaster]
Kopie an den Postmaster: unzustellbare Nachricht

[failed]
Dies ist das Mailsystem des Servers {hostname}.

Leider konnte Ihre Nachricht nicht allen Empfängern zugestellt werden. Die betroffenen stehen
unten, jeweils mit dem Grund. Für sie versuchen wir es nicht weiter: Bitte beheben Sie, was der
Grund nennt, und senden Sie die Nachricht neu.

{recipients}

Wenn Sie Hilfe brauchen, schreiben Sie an {postmaster} und fügen Sie diesen Bericht bei.

[delayed]
Dies ist das Mailsystem des Servers {hostname}.

DIES IST NUR EIN HINWEIS. Sie müssen Ihre Nachricht nicht noch einmal senden.

Ihre Nachricht konnte den unten genannten Empfängern noch nicht zugestellt werden. Wir versuchen
es weiter und melden uns, falls wir aufgeben müssen.

{recipients}

Wenn Sie Hilfe brauchen, schreiben Sie an {postmaster} und fügen Sie diesen Bericht bei.

[delivered]
Dies ist das Mailsystem des Servers {hostname}.

Ihre Nachricht wurde weitergegeben, wie unten beschrieben. Sie erhalten diesen Bericht, weil Sie
ihn angefordert haben.

{recipients}

Wenn Sie Hilfe brauchen, schreiben Sie an {postmaster} und fügen Sie diesen Bericht bei.

[postmaster]
Dies ist das Mailsystem des Servers {hostname}.

Eine Nachricht von {sender} konnte nicht zugestellt werden, und ihr Absender kann es nicht
erfahren: Sie hat keine Rückadresse (vielleicht ist sie selbst ein Bericht), oder der Bericht über
sie war unzustellbar. Sie erhalten diese Kopie als Postmaster. Im Protokoll heißt sie {id},
angenommen am {arrived}.

{recipients}

Niemand sonst erfährt davon.

[group.many]
{count} Empfänger, alle aus demselben Grund:

[group.alike]
{count} Empfänger, aus Gründen gleicher Art, zum Beispiel:

[group.more]
Und {count} weitere Empfänger. Der Teil dieses Berichts für Programme nennt alle.

[cause.expired]
Wir haben es so lange versucht, wie wir Nachrichten aufheben, und aufgegeben. Beim letzten Versuch:

[cause.refused]
Der Server {remote} antwortete: {reply}

[cause.local]
{reason}

[cause.local.4.4.1]
Der Server des Empfängers war nicht zu erreichen ({reason}).

[cause.local.4.4.3]
Das DNS gab keine Auskunft, welcher Server die Domain des Empfängers bedient ({reason}).

[cause.local.5.1.2]
Diese Domain gibt es nicht ({reason}).

[cause.local.5.1.10]
Diese Domain nimmt keine E-Mail an ({reason}).

[cause.local.5.4.4]
Für diese Domain ist kein Mailserver bekannt ({reason}).

[cause.delayed]
Wir versuchen es weiter bis {retry_until}.

[cause.delivered]
In das Postfach des Empfängers zugestellt.

[cause.relayed]
Übergeben an {remote}; dieser Server sendet keine Zustellberichte, ein weiterer Bericht kommt
daher nicht.

[cause.expanded]
An die Verteilerliste des Empfängers zugestellt und an deren Mitglieder gesandt. Ein weiterer
Bericht kommt nicht.

[advice.expired]
Vielleicht ist der Server des Empfängers ausgefallen. Versuchen Sie es später noch einmal, oder
erreichen Sie den Empfänger auf anderem Weg.

[advice.5.1]
Prüfen Sie die Adresse auf Tippfehler.

[advice.5.1.2]
Prüfen Sie den Teil hinter dem @ auf Tippfehler: Zu diesem Namen ist kein Mailserver bekannt.

[advice.5.1.10]
Diese Domain erklärt, dass sie keine E-Mail annimmt. Fragen Sie den Empfänger nach einer anderen
Adresse.

[advice.5.1.8]
Ihre eigene Adresse wurde nicht angenommen. Fragen Sie den Administrator Ihres Mailservers.

[advice.5.1.7]
Ihre eigene Adresse wurde nicht angenommen. Fragen Sie den Administrator Ihres Mailservers.

[advice.5.2.1]
Das Postfach des Empfängers nimmt zurzeit nichts an. Erreichen Sie den Empfänger auf anderem Weg.

[advice.5.2.2]
Das Postfach des Empfängers ist voll. Versuchen Sie es später noch einmal, oder erreichen Sie den
Empfänger auf anderem Weg.

[advice.5.2.3]
Die Nachricht ist größer, als dieser Empfänger annimmt. Senden Sie eine kleinere, oder legen Sie
große Anhänge anderswo ab.

[advice.5.3.4]
Die Nachricht ist größer, als dieser Server annimmt. Senden Sie eine kleinere, oder legen Sie
große Anhänge anderswo ab.

[advice.5.4]
Dies ist ein Fehler der Mailserver, nicht Ihrer. Bitte melden Sie ihn der Adresse unten.

[advice.5.4.4]
Prüfen Sie den Teil hinter dem @ auf Tippfehler: Zu diesem Namen ist kein Mailserver bekannt.

[advice.5.6]
Der Server konnte mit der Form der Nachricht nichts anfangen. Senden Sie sie als reinen Text oder
ohne den Anhang.

[advice.5.7]
Der Server des Empfängers nimmt diese Nachricht nach seinen eigenen Regeln nicht an. Fragen Sie
dessen Administrator, oder erreichen Sie den Empfänger auf anderem Weg.
)";

}  // namespace postern::dsn
