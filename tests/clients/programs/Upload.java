// Posts a file with the HttpClient of Java, twice over one connection, then as the body. Usage: FILE URL
import java.io.ByteArrayOutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

public class Upload {
    public static void main(String[] arguments) throws Exception {
        Path file = Path.of(arguments[0]);
        URI url = URI.create(arguments[1]);
        HttpClient client = HttpClient.newHttpClient();
        HttpRequest form = HttpRequest.newBuilder(url)
            .header("Content-Type", "multipart/form-data; boundary=JavaBoundary")
            .POST(HttpRequest.BodyPublishers.ofByteArray(form(file)))
            .build();
        HttpRequest whole = HttpRequest.newBuilder(url).PUT(HttpRequest.BodyPublishers.ofFile(file)).build();
        for (HttpRequest request : new HttpRequest[] {form, form, whole}) {
            HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
            System.out.println(answer.statusCode() + " " + answer.body());
        }
    }

    private static byte[] form(Path file) throws Exception {
        String head = "--JavaBoundary\r\nContent-Disposition: form-data; name=\"file\"; filename=\""
            + file.getFileName() + "\"\r\nContent-Type: image/png\r\n\r\n";
        ByteArrayOutputStream form = new ByteArrayOutputStream();
        form.write(head.getBytes(StandardCharsets.UTF_8));
        form.write(Files.readAllBytes(file));
        form.write("\r\n--JavaBoundary--\r\n".getBytes(StandardCharsets.UTF_8));
        return form.toByteArray();
    }
}
