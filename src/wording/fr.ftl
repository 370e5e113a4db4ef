# Textes que lisent les agents, en français. Un identifiant par idée, par ordre de sujet.
# Les espaces insécables sont dans le fichier (U+00A0 avant « : » et entre guillemets,
# U+202F avant « ; », « ! » et « ? »).

## Dates et quantités

moment = { $day } à { $time }
month-1 = janvier
month-2 = février
month-3 = mars
month-4 = avril
month-5 = mai
month-6 = juin
month-7 = juillet
month-8 = août
month-9 = septembre
month-10 = octobre
month-11 = novembre
month-12 = décembre
list-and = { $first } et { $last }
size-bytes = { $number } { $count ->
    [one] octet
   *[other] octets
}
size-kb = { $number } Ko
size-mb = { $number } Mo
size-gb = { $number } Go

## Messages

empty-message = (message vide)
message-deleted = 🗑️ Message supprimé
unknown-message = Message d’un type inconnu, sans texte dans l’export
edited = (modifié)
edited-at = (modifié le { $moment })
earlier-version = Version antérieure, du { $moment }
forwarded = Transféré
forwarded-from = Transféré de { $name }
forwarded-at = Transféré, message du { $moment }
forwarded-from-at = Transféré de { $name }, message du { $moment }
reply-absent = En réponse à un message absent de ce salon
reply-absent-of = En réponse à { $name }, message absent de ce salon
quote-of = { $name } :
quoted = « { $text } »
view-once = À affichage unique
topic = Sujet : { $name }
somebody = Quelqu’un
speaker-prefix = { $name } :{" "}
reactions = Réactions : { $list }
reaction-people = { $emoji } { $people }
reaction-count = { $emoji } × { $count }
reaction-people-count = { $emoji } { $people } (+ { $count })

## Fichiers

kind-photo = Photo
kind-video = Vidéo
kind-gif = GIF
kind-video-note = Message vidéo
kind-voice = Message vocal
kind-audio = Audio
kind-sticker = Autocollant
kind-document = Document
kind-link-preview = Aperçu de lien
kind-unknown = Fichier
file-named = { $kind } « { $name } »
file-sized = { $file } ({ $size })
file-omitted = 📎 { $file } : non inclus dans l’export
file-missing = 📎 { $file } : introuvable dans l’export
file-too-large = 📎 { $file } : laissé de côté par l’export en raison de sa taille
file-not-imported = 📎 { $file } : non importé
file-link-preview = 🔗 Aperçu de lien
sticker-emoji = Autocollant { $emoji }

## Lieux, contacts, appels

location = 📍 Position partagée
location-labelled = 📍 { $label }
location-live = 📍 Position en direct
location-live-for = 📍 Position en direct, pendant { $duration }
contact = 👤 Contact : { $name }
contact-unnamed = 👤 Contact
contact-card-missing = (fiche absente de l’export)
contact-card-not-imported = (fiche non importée)
call-voice = 📞 Appel vocal
call-voice-lasting = 📞 Appel vocal, { $duration }
call-voice-missed = 📞 Appel vocal manqué
call-video = 📹 Appel vidéo
call-video-lasting = 📹 Appel vidéo, { $duration }
call-video-missed = 📹 Appel vidéo manqué

## Sondages

poll = 📊 Sondage
poll-multiple = (plusieurs réponses possibles)
poll-results = 📊 Résultats du sondage « { $question } »
poll-option-votes = { $option } : { $votes ->
    [one] { $votes } voix
   *[other] { $votes } voix
}
poll-total = { $voters ->
    [one] { $voters } votant
   *[other] { $voters } votants
}
poll-closed = Sondage terminé
poll-voters = { $option } : { $people }

## Lignes de la messagerie

system-created = La discussion a été créée
system-created-by = { $actor } a créé la discussion
system-created-titled = La discussion « { $title } » a été créée
system-created-titled-by = { $actor } a créé la discussion « { $title } »
system-renamed = Le nom de la discussion a changé
system-renamed-by = { $actor } a changé le nom de la discussion
system-renamed-titled = La discussion s’appelle désormais « { $title } »
system-renamed-titled-by = { $actor } a renommé la discussion en « { $title } »
system-description = La description a changé
system-description-by = { $actor } a changé la description
system-photo = La photo de la discussion a changé
system-photo-by = { $actor } a changé la photo de la discussion
system-joined = { $people } { $count ->
    [one] a
   *[other] ont
} rejoint la discussion
system-joined-unknown = Quelqu’un a rejoint la discussion
system-added = Ajout à la discussion : { $people }
system-added-by = { $actor } a ajouté { $people }
system-added-unknown = Quelqu’un a été ajouté à la discussion
system-left = { $people } { $count ->
    [one] a
   *[other] ont
} quitté la discussion
system-left-unknown = Quelqu’un a quitté la discussion
system-removed = Retrait de la discussion : { $people }
system-removed-by = { $actor } a retiré { $people }
system-removed-unknown = Quelqu’un a été retiré de la discussion
system-admin = Les droits d’administration ont changé
system-admin-of = Les droits d’administration ont changé pour { $people }
system-number = Un numéro ou un compte a changé
system-number-of = Le numéro ou le compte a changé pour { $people }
system-encryption = Le chiffrement de la discussion a été annoncé
system-ephemeral = La durée de vie des messages a changé
system-pinned = Un message a été épinglé ou désépinglé
system-pinned-by = { $actor } a épinglé ou désépinglé un message
system-blocked = Un contact a été bloqué ou débloqué
system-other = Événement de la messagerie, sans texte dans l’export

## Constats d’un import (un par sorte de constat)

finding-unreadable = Passages illisibles, qui n’appartiennent à aucun message
finding-unreadable-advice = Ces passages ne sont pas perdus : le constat dit où ils se trouvent. Regardez-les dans l’export.
finding-unknown-kind = Messages d’une sorte inconnue : leur texte est gardé
finding-unknown-kind-advice = L’application a sans doute une fonction plus récente que ce logiciel.
finding-unknown-field = Champs inconnus dans l’export
finding-unknown-field-advice = L’application a sans doute une fonction plus récente que ce logiciel ; les messages eux-mêmes sont repris.
finding-invalid-text = Caractères invalides, remplacés par « � »
finding-invalid-text-advice = L’export a sans doute été modifié ou mal copié.
finding-truncated = Fichier incomplet : ce qui est entier a été lu
finding-truncated-advice = La copie ou l’export a été interrompu. Refaites l’export si vous le pouvez.
finding-repaired = Erreurs de syntaxe de l’export, réparées
finding-repaired-advice = Ce qui est repris est complet ; le constat dit ce qui a été corrigé.
finding-unsafe-entry = Fichiers au nom dangereux, jamais ouverts
finding-unsafe-entry-advice = Aucune messagerie n’écrit de tels noms : demandez d’où vient le fichier.
finding-date-order-uncertain = Ordre jour-mois incertain dans les dates
finding-date-order-uncertain-advice = Comparez quelques dates avec le téléphone avant d’approuver : 03/04 peut être le 3 avril ou le 4 mars.
finding-impossible-time = Heures qui n’existent pas dans le fuseau choisi, sans doute erroné
finding-impossible-time-advice = Le téléphone était sans doute réglé sur un autre fuseau. Indiquez-le avec --timezone.
finding-ambiguous-time = Heures qui existent deux fois (passage à l’heure d’hiver) : l’ordre des messages a décidé
finding-ambiguous-time-advice = Pendant une heure, la nuit du passage à l’heure d’hiver, l’heure écrite existe deux fois ; un message de cette heure peut être décalé d’une heure.
finding-probably-cut = Export sans doute coupé : il s’arrête à un nombre rond de messages
finding-probably-cut-advice = WhatsApp n’exporte que les 10 000 derniers messages avec les fichiers, 40 000 sans. Demandez l’export à un autre membre et réunissez les deux avec « archive merge ».
finding-beginning-missing = Le début de la discussion manque
finding-beginning-missing-advice = Des messages plus anciens existaient sans doute. Un autre membre les a peut-être : réunissez les exports avec « archive merge ».
finding-namesakes-possible = Plusieurs personnes portent peut-être le même nom
finding-namesakes-possible-advice = L’export ne distingue pas deux personnes du même nom. Demandez à un membre du groupe avant d’approuver.
finding-name-is-number = Personnes connues par leur seul numéro de téléphone
finding-name-is-number-advice = L’exportateur ne les avait pas dans ses contacts. Donnez-leur un nom dans le plan.
finding-other-chats-present = L’export contient d’autres discussions que celle demandée
finding-other-chats-present-advice = Ces autres discussions, privées peut-être, ne sont pas lues. Pour qu’elles ne quittent pas votre poste, prenez la seule discussion utile avec « archive merge FICHIER --chat ID ».
finding-orphan-files = Fichiers qu’aucun message ne cite
finding-orphan-files-advice = Ces fichiers ne sont pas ouverts : ils peuvent venir de messages effacés ou à vue unique.
finding-attachment-missing = Fichiers cités mais absents de l’export
finding-attachment-missing-advice = Ils n’étaient plus sur le téléphone. Un autre membre les a peut-être : réunissez les exports avec « archive merge ».
finding-attachment-mismatch = Fichiers différents de ce que disent leur nom ou leur empreinte
finding-attachment-mismatch-advice = Le fichier n’est pas celui qui a été envoyé, ou n’est pas du type que dit son nom : méfiez-vous avant de l’ouvrir.
finding-expired = Messages éphémères arrivés à échéance, laissés de côté
finding-expired-advice = Ils devaient disparaître ; les reprendre irait contre ce qui a été dit à leurs auteurs.
finding-reply-target-missing = Réponses à un message absent de l’export
finding-reply-target-missing-advice = La réponse est reprise, sans le message auquel elle répond.
finding-conflict = Deux exports se contredisent sur un message
finding-conflict-advice = Rien n’a été deviné : le constat dit ce qui a été gardé. Comparez avec les téléphones si cela compte.
finding-own-messages-only = L’export ne contient que les messages de son auteur
finding-own-messages-only-advice = Les messages des autres membres manquent. Demandez l’export à un membre du groupe.
finding-not-in-format = Informations que ce format d’export ne peut pas contenir
finding-not-in-format-advice = Aucun export de cette sorte ne les contient ; seul le téléphone les a.
finding-not-carried = Informations que Matrix ne peut pas porter telles quelles
finding-not-carried-advice = Le rapport dit, message par message, ce qui a été fait.

## Rapport d’import

report-title = Procès-verbal d’import
report-verified = Le salon a été relu par un compte témoin : chaque message est conforme à l’archive.
report-not-verified = ATTENTION : le salon n’est pas conforme à l’archive. Personne n’a été invité.
report-job = Tâche : { $value }
report-software = Logiciel : { $value }
report-started = Début : { $value }
report-read-back = Relecture : { $value }
report-approved-by = Plan approuvé par : { $value }
report-plan-digest = Empreinte SHA-256 du plan : { $value }
report-source = Archive : { $value }
report-source-format = Format : { $value }
report-source-digest = Empreinte SHA-256 de l’archive : { $value }
report-period = Période : { $value }
report-zone = Fuseau horaire supposé : { $value }
report-room = Salon : { $value }
report-room-kind = Nature du salon : { $value }
report-admins = Administrateurs : { $value }
report-invited = Personnes invitées : { $value }
report-people = Participants (nom affiché · messages · compte Tchap)
report-sums = Ce que chaque enregistrement de l’archive est devenu
report-carried = repris intégralement
report-carried-with-loss = repris avec une perte signalée
report-left-out = écartés par le plan
report-refused = refusés par le serveur
report-differs = non conformes dans le salon
report-findings-only = illisibles comme message, signalés
report-total = total
report-records = enregistrements dans l’archive
report-events = événements dans le salon
report-files = fichiers comparés octet par octet
report-kinds = Messages par nature
report-kind-text = textes
report-kind-media = fichiers et médias
report-kind-sticker = autocollants
report-kind-location = lieux
report-kind-contact = contacts
report-kind-poll = sondages
report-kind-call = appels
report-kind-system = lignes de la messagerie
report-kind-deleted = messages supprimés
report-kind-unknown = nature inconnue
report-findings = Constats
report-not-invited = Personnes que le serveur n’a pas laissé inviter
report-warnings = À savoir
warning-no-external = Le salon est ouvert aux externes, sans retour possible, et aucun externe n’est invité.
warning-old-messages = Le plus ancien message date du { $first } : l’ancienne application Tchap pour iOS peut ne pas montrer ce qui a plus de 365 jours.
warning-accounts-may-expire = Les comptes qui représentent les participants peuvent expirer : demander l’exemption de { $pattern } (exclude_user_id_patterns).
warning-room-forgets = La durée de conservation du salon efface les messages après { $days } jours.
warning-not-in-space = L’espace { $space } n’affiche pas le salon ({ $reason }) : une personne habilitée doit l’y ajouter.
warning-space-is-public = L’espace { $space } est ouvert à tous : le salon n’a pas été ouvert à ses membres, chacun doit être invité.
refusal-account-expired = le compte a expiré
refusal-account-deactivated = le compte a été désactivé
refusal-forbidden-by-rules = les règles du serveur l’interdisent : un externe dans un salon qui leur est fermé, ou un changement que les règles d’accès n’admettent pas
refusal-probable-spam = un module du serveur l’interdit, sur Tchap le plus souvent les règles d’accès
refusal-federation-denied = l’autre serveur ne fait pas partie de la fédération
refusal-access-rule-invalid = les règles d’accès de Tchap n’admettent pas un tel salon
refusal-power-levels-invalid = les droits demandés ne sont pas ceux qu’exigent les règles d’accès
refusal-room-version-too-new = ni le module de règles d’accès ni passerelle ne savent créer de salon de version 12 ou plus
refusal-room-version-unknown = le serveur ne crée pas de salon de cette version
refusal-may-not-make-rooms = le compte n’a pas le droit de créer des salons
refusal-may-not-invite = cette personne ne peut pas être invitée
refusal-banned = la personne a été bannie du salon
refusal-not-our-account = le compte n’appartient pas à ce service
refusal-too-large = trop volumineux pour le serveur
room-kind-private-encrypted = Salon privé sécurisé (chiffré), fermé aux externes
room-kind-private-encrypted-externals = Salon privé sécurisé (chiffré), ouvert aux externes
room-kind-private-unencrypted = Salon privé non chiffré, fermé aux externes
room-kind-private-unencrypted-externals = Salon privé non chiffré, ouvert aux externes
report-differences = Différences
difference-missing = absent du salon
difference-doubled = présent { $found } fois
difference-order = à une autre place
difference-sender = envoyé par { $found }
difference-time = daté autrement ({ $found })
difference-type = d’un autre type ({ $found })
difference-content = contenu différent
difference-file = fichier différent ({ $found })
difference-unexpected = inconnu de l’archive
undo-reason = Import annulé (tâche { $job })
canary-room = Passerelle : essai de conservation
canary-text = Essai : un message de cette date reste-t-il lisible ?

## Robot

bot-help = Commandes : « !passerelle aide » (ce texte), « !passerelle etat » (ce que contient ce salon).
bot-unreadable = Je n’ai pas pu déchiffrer ce message : la clé ne m’est pas parvenue, ou l’appareil qui l’a envoyé n’est pas vérifié. Je réessaierai si la clé arrive ; sinon, renvoyez le message.
bot-unknown = Commande inconnue : { $command }. Essayez « !passerelle aide ».
bot-state = Ce salon contient l’historique { $network } « { $title } » : { $messages } messages, du { $first } au { $last }. Tâche { $job }.

## What `archive inspect` says.

inspect-head = { $network } · { $format }
inspect-chat = discussion { $id } : { $title }
inspect-period = du { $first } au { $last }
inspect-records = { $records } enregistrements = { $messages } messages + { $rest } qui ne sont que des constats
inspect-recount-agrees = compté à part dans les octets de l’export : { $counted }, la somme est juste
inspect-recount-differs = compté à part dans les octets de l’export : { $counted }, alors que { $accounted } sont expliqués ; regardez les constats
inspect-files = fichiers : { $present } présents ({ $bytes } octets), { $omitted } omis par l’export, { $missing } absents
inspect-exporter = exporté par : { $who }
inspect-exporter-unknown = non dit
inspect-participants = participants : { $count }
inspect-name = { $name }
inspect-name-push-name = { $name } (pas un contact enregistré)
inspect-name-number = { $name } (seulement un numéro)
inspect-name-missing = { $name } (sans nom)
inspect-never = jamais dans les exports de cette sorte : { $what }
