"""Finds and reads lights with the original Photons, then turns them off: `photons.py PORT`.

Prints a line of JSON for each light, sorted by serial. Errors go to the standard error, and make it
exit with 1.
"""

import asyncio
import json
import sys

from photons_app import helpers as hp
from photons_app.special import FoundSerials
from photons_messages import DeviceMessages, LightMessages, protocol_register
from photons_transport.targets import LanTarget


# A search ends with the first lights that answer. Where packets are lost it takes several.
SEARCHES = 10


async def find(sender, broadcast):
    serials = set()
    for _ in range(SEARCHES):
        _, found = await FoundSerials().find(sender, timeout=10, broadcast=broadcast)
        serials.update(found)
    return sorted(serials)


def note(lights, packet):
    said = packet.payload
    light = lights.setdefault(packet.serial, {"serial": packet.serial})
    if packet | LightMessages.LightState:
        light.update(label=said.label, power=said.power, hue=round(said.hue), kelvin=said.kelvin)
    elif packet | DeviceMessages.StateGroup:
        light.update(group=said.label)
    elif packet | DeviceMessages.StateVersion:
        light.update(vendor=said.vendor, product=said.product)


async def talk(port):
    final_future = hp.create_future()
    configuration = {"protocol_register": protocol_register, "final_future": final_future}
    target = LanTarget.create(configuration, {})
    lights, errors = {}, []
    broadcast = ("127.0.0.1", port)
    options = {"broadcast": broadcast, "message_timeout": 10, "error_catcher": errors}
    async with target.session() as sender:
        serials = await find(sender, broadcast)
        for question in (
            LightMessages.GetColor(),
            DeviceMessages.GetGroup(),
            DeviceMessages.GetVersion(),
        ):
            async for packet in sender(question, serials, **options):
                note(lights, packet)
        off = DeviceMessages.SetPower(level=0)
        async for _ in sender(off, serials, **options):
            pass
    final_future.cancel()
    return [lights[serial] for serial in sorted(lights)], errors


def main():
    lights, errors = asyncio.run(talk(int(sys.argv[1])))
    for light in lights:
        print(json.dumps(light, sort_keys=True))
    for error in errors:
        print(error, file=sys.stderr)
    sys.exit(1 if errors else 0)


main()
