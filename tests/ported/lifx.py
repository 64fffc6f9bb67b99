# A client of LIFX bulbs over datagrams, which asks again; and a bulb that misses some.
import asyncio
import struct

HEADER = struct.Struct("<HHI8s6sBBQHH")
GET_POWER, SET_POWER, STATE_POWER = 20, 21, 22


def pack(kind, sequence, payload=b""):
    size = HEADER.size + len(payload)
    return HEADER.pack(size, 0x3400, 2, bytes(8), bytes(6), 1, sequence, 0, kind, 0) + payload


def unpack(data):
    *_, sequence, _, kind, _ = HEADER.unpack_from(data)
    return kind, sequence, data[HEADER.size:]


class Bulb(asyncio.DatagramProtocol):
    def __init__(self):
        self.power, self.heard = 0, 0

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        kind, sequence, payload = unpack(data)
        self.heard += 1
        if self.heard % 3 == 2:
            print("the bulb misses", sequence)
            return
        if kind == SET_POWER:
            self.power = struct.unpack("<H", payload)[0]
        answer = pack(STATE_POWER, sequence, struct.pack("<H", self.power))
        self.transport.sendto(answer, address)


class Client(asyncio.DatagramProtocol):
    def __init__(self):
        self.sequence, self.waiting = 0, {}

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        kind, sequence, payload = unpack(data)
        waiting = self.waiting.pop(sequence, None)
        if waiting is not None and kind == STATE_POWER:
            waiting.set_result(struct.unpack("<H", payload)[0])

    async def ask(self, kind, payload=b""):
        self.sequence += 1
        answer = asyncio.get_running_loop().create_future()
        self.waiting[self.sequence] = answer
        while True:
            self.transport.sendto(pack(kind, self.sequence, payload))
            try:
                return await asyncio.wait_for(asyncio.shield(answer), 0.5)
            except TimeoutError:
                print("asking again", self.sequence)


async def main():
    loop = asyncio.get_running_loop()
    bulb, _ = await loop.create_datagram_endpoint(Bulb, ("127.0.0.1", 0))
    address = bulb.get_extra_info("sockname")
    transport, client = await loop.create_datagram_endpoint(Client, remote_addr=address)
    print("power", await client.ask(GET_POWER))
    print("power", await client.ask(SET_POWER, struct.pack("<H", 65535)))
    print("power", await client.ask(GET_POWER))
    transport.close()
    bulb.close()


asyncio.run(main())
