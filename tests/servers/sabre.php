<?php

// A calendar server made of sabre/dav as its examples make one, for PHP's own web server.
// SABRE_AUTOLOAD names the library (1.8 of Debian or a later one), SABRE_FOLDER holds the database and the passwords.

declare(strict_types=1);

require_once getenv('SABRE_AUTOLOAD');

$folder = getenv('SABRE_FOLDER');
$pdo = new PDO("sqlite:$folder/db.sqlite");
$pdo->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
date_default_timezone_set('UTC');

/** Each user's password stands in a file of its own. */
class Passwords extends Sabre\DAV\Auth\Backend\AbstractBasic
{
    protected function validateUserPass($username, $password)
    {
        $file = getenv('SABRE_FOLDER') . '/password-' . basename($username);
        return is_file($file) && $password === file_get_contents($file);
    }
}

$principals = new Sabre\DAVACL\PrincipalBackend\PDO($pdo);
$calendars = new Sabre\CalDAV\Backend\PDO($pdo);
$root = class_exists('Sabre\CalDAV\CalendarRoot') ? 'Sabre\CalDAV\CalendarRoot' : 'Sabre\CalDAV\CalendarRootNode';
$server = new Sabre\DAV\Server([
    new Sabre\CalDAV\Principal\Collection($principals),
    new $root($principals, $calendars),
]);
$server->setBaseUri('/');
$server->addPlugin(new Sabre\DAV\Auth\Plugin(new Passwords(), 'calendars'));
$server->addPlugin(new Sabre\DAVACL\Plugin());
$server->addPlugin(new Sabre\CalDAV\Plugin());
if (class_exists('Sabre\DAV\Sync\Plugin')) {
    $server->addPlugin(new Sabre\DAV\Sync\Plugin());
    $server->addPlugin(new Sabre\CalDAV\Schedule\Plugin());
}
method_exists($server, 'start') ? $server->start() : $server->exec();
