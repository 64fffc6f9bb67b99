# A server of pages, and a crawler that fetches two at a time over connections, each once.
import asyncio
import os
import tempfile

LINKS = {
    "home": ["news", "about", "shop"],
    "news": ["home", "today"],
    "shop": ["about", "cart"],
}


async def serve(reader, writer):
    page = (await reader.readline()).decode().strip()
    await asyncio.sleep(len(page))
    writer.writelines([f"{link}\n".encode() for link in LINKS.get(page, [])])
    writer.close()


class Crawler:
    def __init__(self, group, path):
        self.group, self.path = group, path
        self.limit = asyncio.Semaphore(2)
        self.seen = []

    def visit(self, page):
        if page not in self.seen:
            self.seen.append(page)
            self.group.create_task(self.crawl(page))

    async def crawl(self, page):
        async with self.limit:
            print("fetching", page)
            reader, writer = await asyncio.open_unix_connection(self.path)
            writer.write(f"{page}\n".encode())
            links = (await reader.read()).decode().split()
            writer.close()
        for link in links:
            self.visit(link)


async def main():
    path = f"{tempfile.gettempdir()}/pages-{os.getpid()}-py"
    server = await asyncio.start_unix_server(serve, path)
    async with asyncio.TaskGroup() as group:
        crawler = Crawler(group, path)
        crawler.visit("home")
    server.close()
    print("seen:", *crawler.seen)


asyncio.run(main())
