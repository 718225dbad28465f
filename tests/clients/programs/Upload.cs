// Posts a file with the HttpClient of .NET. Usage: FILE URL
using System;
using System.IO;
using System.Net.Http;

class Upload {
    static void Main(string[] arguments) {
        using (var client = new HttpClient())
        using (var form = new MultipartFormDataContent()) {
            form.Add(new ByteArrayContent(File.ReadAllBytes(arguments[0])), "file", Path.GetFileName(arguments[0]));
            form.Add(new StringContent("rus+eng"), "lang");
            var answer = client.PostAsync(arguments[1], form).Result;
            Console.WriteLine((int)answer.StatusCode + " " + answer.Content.ReadAsStringAsync().Result);
        }
    }
}
