# SPDX-License-Identifier: Apache-2.0
"""What a guest is born with: enough to find the broker once, and no more."""

import configparser
import dataclasses
import json

from trove.flows import userdata
from trove.flows.context import Settings

SETTINGS = Settings(
    deployment="here",
    management_network="net",
    brokers=(("10.9.0.1", 5671), ("10.9.0.2", 5671)),
    guests_vhost="/trove-guests",
    broker_ca="-----BEGIN CERTIFICATE-----\nAAAA\n",
    heartbeat_interval=7,
)


def files(settings=SETTINGS, virtual=None):
    text = userdata.render(settings, "i-1", "mariadb", 'pa%ss"\\word', virtual)
    head, _, body = text.partition("\n")
    assert head == "#cloud-config"
    return {file["path"]: file for file in json.loads(body)["write_files"]}


def options(settings=SETTINGS, virtual=None):
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(files(settings, virtual)[userdata.CONFIG]["content"])
    return parser


def test_the_guest_finds_every_broker_and_its_own_user():
    broker = options()["broker"]
    assert broker["hosts"] == "10.9.0.1:5671,10.9.0.2:5671"
    assert broker["user"] == "guest-i-1"
    assert broker["vhost"] == "/trove-guests"


def test_a_password_of_any_characters_arrives_as_it_is():
    assert options()["broker"]["password"] == 'pa%ss"\\word'


def test_the_file_with_the_credential_is_roots_alone():
    assert files()[userdata.CONFIG]["permissions"] == "0600"


def test_it_knows_who_it_is_and_whom_to_trust():
    guest = options()["guest"]
    assert (guest["instance"], guest["datastore"]) == ("i-1", "mariadb")
    assert guest["heartbeat_interval"] == "7"
    assert files()[userdata.CA]["content"] == SETTINGS.broker_ca


def test_it_knows_whose_commands_to_obey_where_they_are_signed():
    assert "commands_key" not in options()["guest"]
    signed = dataclasses.replace(SETTINGS, commands_key="AAAA=")
    assert options(signed)["guest"]["commands_key"] == "AAAA="


def test_it_knows_whether_it_is_on_several_networks():
    assert "several_networks" not in options()["guest"]
    text = userdata.render(SETTINGS, "i-1", "mariadb", "x", several=True)
    assert "several_networks = true" in text


def test_it_knows_which_addresses_it_has_beside_its_cards():
    assert "virtual_addresses" not in options()["guest"]
    card = "fa:16:3e:00:00:01"
    guest = options(virtual=userdata.Virtual(card, ("10.9.0.8", "10.9.0.9")))["guest"]
    assert guest["virtual_addresses"] == "10.9.0.8,10.9.0.9"
    assert guest["card"] == card
